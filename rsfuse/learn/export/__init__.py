"""Networks written as graphs, and what proves that they are the same."""
