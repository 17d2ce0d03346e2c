"""Scenes as agencies deliver them: folders and archives, read where they lie."""
