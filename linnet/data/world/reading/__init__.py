"""reading: stories taken apart sentence by sentence, and replayed on a scene of their own."""
