"""First floor: files with coordinates, read and written by windows (rasterio, shapely)."""
