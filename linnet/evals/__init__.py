"""evals: measure a model."""
