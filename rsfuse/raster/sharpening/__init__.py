"""Patches for pan-sharpening, read from where they are."""
