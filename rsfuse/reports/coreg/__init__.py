"""The page about one pair: how its SAR lies on its optical raster, in figures, charts and pictures."""
