"""adapt: surgery on a trained network."""
