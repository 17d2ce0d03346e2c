"""How networks are trained, as data: what may stand in a recipe, one file a section, and how one is read."""
