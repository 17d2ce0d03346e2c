"""Public data sets: one file for each layout on disk."""
