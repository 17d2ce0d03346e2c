"""Bricks that networks share, one idea per file."""
