"""The small world: a village with known truth, generated from a seed."""
