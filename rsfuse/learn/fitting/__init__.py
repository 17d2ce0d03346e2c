"""Fitting: from a recipe and tiles to a bundle, on Lightning; on one device, several, or several machines."""
