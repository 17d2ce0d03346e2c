"""What pages are made of: elements, axes, and how they look."""
