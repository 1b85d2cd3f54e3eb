"""explain: show what a model learns from and how it did, token by token."""
