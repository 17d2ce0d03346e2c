"""Scores of maps against labels, as a page and as files for other programs."""
