"""retrieve: find what documents say, and answer from it with its sources."""
