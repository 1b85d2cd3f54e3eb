"""report: pages and pictures from run records."""
