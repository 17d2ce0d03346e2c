"""How scenes become tiles: inspected, planned, split, surveyed, cut, and gone on with where it was stopped."""
