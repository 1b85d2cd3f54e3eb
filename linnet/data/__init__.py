"""data: where text and rows come from."""
