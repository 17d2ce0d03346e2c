"""Mosaics: many rasters become one on one grid, window by window."""
