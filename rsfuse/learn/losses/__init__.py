"""What training makes small: the terms that a recipe names, one file a kind, and their weighted sum."""
