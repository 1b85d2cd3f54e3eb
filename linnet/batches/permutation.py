"""A seeded shuffle with random access: the n-th item without making, or remembering, the rest.

The domain [0, size) is laid on a grid of about sqrt(size) x sqrt(size); each round adds to one coordinate a hash of
the other, which can be undone, so the whole is a permutation (the generalised Feistel cipher of Black and Rogaway,
"Ciphers with Arbitrary Finite Domains", CT-RSA 2002). A result outside the domain is put in again until it is inside
(cycle walking); the grid has less than sqrt(size) cells too many, so this is rare.
"""

import math

import numpy as np

ROUNDS = 8


class Permutation:
    """A permutation of range(size) decided by (seed, epoch) alone; memory and start-up do not grow with `size`."""

    def __init__(self, size: int, seed: int, epoch: int = 0):
        if not 1 <= size <= 2**62:
            raise ValueError(f"a permutation needs 1 to 2^62 items, not {size}")
        self.size = size
        self._rows = math.isqrt(size - 1) + 1
        self._columns = -(-size // self._rows)
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
        self._keys = generator.integers(0, 2**64, size=ROUNDS, dtype=np.uint64)

    def __call__(self, indices: np.ndarray) -> np.ndarray:
        """Return where each index in [0, size) goes, as int64 of the same shape."""
        places = self._shuffle(indices.astype(np.uint64))
        outside = np.flatnonzero(places >= self.size)
        while len(outside):
            places[outside] = self._shuffle(places[outside])
            outside = outside[places[outside] >= self.size]
        return places.astype(np.int64)

    def _shuffle(self, places: np.ndarray) -> np.ndarray:
        rows, columns = np.uint64(self._rows), np.uint64(self._columns)
        row, column = places // columns, places % columns
        for number, key in enumerate(self._keys):
            if number % 2:
                column = (column + _mixed(row ^ key)) % columns
            else:
                row = (row + _mixed(column ^ key)) % rows
        return row * columns + column


def _mixed(values: np.ndarray) -> np.ndarray:
    """Return well-spread 62-bit hashes: the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (values ^ (values >> np.uint64(31))) >> np.uint64(2)  # two bits less, so that adding cannot overflow
