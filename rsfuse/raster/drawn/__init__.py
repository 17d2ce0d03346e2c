"""What was drawn as polygons: read, mended, brought to pixels."""
