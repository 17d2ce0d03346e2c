"""From the rows of a scene to the finished rows of its map, with a network in between."""
