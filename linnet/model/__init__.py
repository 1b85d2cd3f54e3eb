"""model: the networks."""
