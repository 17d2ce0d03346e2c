"""Pan-sharpening in numbers: filters between the two grids, what is measured of a pair, and what follows from it."""
