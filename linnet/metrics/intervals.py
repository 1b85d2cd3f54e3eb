"""How sure a number is: intervals of shares, and of means by resampling items."""

import math
from statistics import NormalDist

import numpy as np

RESAMPLES = 2_000
DRAWS_AT_ONCE = 2**22  # bounds the memory of a bootstrap


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a share (Wilson 1927): the p with (p^ - p)^2 <= z^2 p (1 - p) / n."""
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"a share needs 0 <= successes <= trials and a trial, not {successes} of {trials}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, widen = successes / trials, z * z / trials
    middle = (share + widen / 2) / (1 + widen)
    half = math.sqrt(widen * (share * (1 - share) + widen / 4)) / (1 + widen)
    # At the ends the interval reaches 0 or 1 exactly; rounding must not step over.
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    return low, 1.0 if successes == trials else min(1.0, middle + half)


def bootstrap_interval(
    values: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """Return the percentile interval of a mean (Efron 1979) over resamples of `values` [n].

    With weights [n] the statistic is sum(values) / sum(weights): nats per block over bytes per block, say.
    """
    means = _resampled_means(values, weights, seed, resamples)
    low, high = np.quantile(means, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)


def _resampled_means(values: np.ndarray, weights: np.ndarray | None, seed: int, resamples: int) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"a bootstrap needs a list of at least one value, not shape {values.shape}")
    if weights is not None and np.shape(weights) != values.shape:
        raise ValueError(f"{values.size} values and weights of shape {np.shape(weights)}")
    generator = np.random.default_rng(seed)
    pieces = []
    at_once = max(1, DRAWS_AT_ONCE // values.size)
    for first in range(0, resamples, at_once):
        rows = min(at_once, resamples - first)
        drawn = generator.integers(values.size, size=(rows, values.size))
        totals = values[drawn].sum(axis=1)
        pieces.append(totals / (values.size if weights is None else np.asarray(weights)[drawn].sum(axis=1)))
    return np.concatenate(pieces)
