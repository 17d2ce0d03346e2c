"""Ground floor: where pixels lie and which are read together. Integers, floats and numpy; no files, no torch."""
