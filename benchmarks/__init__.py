"""Side-by-side runs against other methods: each a script that prints what it measured."""
