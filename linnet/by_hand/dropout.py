"""Dropout: forget some numbers at random while training, so that nothing is leant on too heavily."""

import numpy as np

from linnet.by_hand.operation import Array, Back, identity


def dropout(x: Array, rate: float, rng: np.random.Generator) -> tuple[Array, Back]:
    """Set each number of x to zero with probability `rate` and enlarge the others, so that the mean stays.

    In evaluation nothing is dropped: give the rate 0. Raises ValueError for a rate outside [0, 1).
    """
    if not 0 <= rate < 1:
        raise ValueError(f"a dropout rate of {rate} is not in [0, 1)")
    return keep_only(x, rng.random(x.shape) >= rate, rate) if rate else identity(x)


def keep_only(x: Array, kept: Array, rate: float) -> tuple[Array, Back]:
    """Return x kept / (1 - rate) for kept, bool of the shape of x; the factor is a constant, so dx = dy times it."""
    factor = kept / (1 - rate)
    return x * factor, lambda dy: dy * factor
