"""Do two rasters lie on each other? Brought to one grid, and matched tile by tile."""
