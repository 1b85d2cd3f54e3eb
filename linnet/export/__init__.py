"""export: other people's formats."""
