"""train: make it learn."""
