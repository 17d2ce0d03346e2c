"""Trained networks with all that running them takes: folders that are found, read, written and described."""
