"""infer: make it speak."""
