"""by_hand: the same mathematics in NumPy, every backward written out; the tests hold it equal to what trains."""
