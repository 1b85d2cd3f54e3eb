"""prove: hold a model, its data and its training to what must be true of them."""
