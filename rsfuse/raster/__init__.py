"""First floor: files with coordinates. Whatever opens a raster or a folder of tiles stands here."""
