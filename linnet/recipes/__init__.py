"""recipes: one flat program a stage; a file here is a command."""
