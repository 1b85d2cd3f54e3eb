"""How sure a number is: intervals of shares, of means by resampling items, and of means over seeds."""

import contextlib
import math
from collections.abc import Callable
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


def bootstrap_statistic(
    statistic: Callable[[np.ndarray], float],
    count: int,
    *,
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = 1_000,
) -> tuple[float, float]:
    """Return the percentile interval of any number that is computed from `count` items.

    `statistic` is given the places [count] of the items drawn and returns the number: an F1, a BLEU, an AUROC. A draw
    for which it raises ValueError (only one class in it, say) is left out.
    """
    if count < 1:
        raise ValueError(f"a bootstrap needs at least one item, not {count}")
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(resamples):
        drawn = generator.integers(count, size=count)
        with contextlib.suppress(ValueError):
            found.append(statistic(drawn))
    if not found:
        raise ValueError(f"the number could not be computed from any draw of its {count} items")
    low, high = np.quantile(found, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)


def interval_over_seeds(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of the mean of `values` [seeds, items] over seeds that were not run and items not asked.

    Every seed meets the same items, so both are crossed random effects: the variance of the mean is
    (MS_seed + MS_item - MS_rest) / (seeds items), never less than by items alone, with Student's t and the degrees
    of freedom of Satterthwaite 1946 (the quasi-F of Clark 1973). Resampling three seeds instead gives intervals that
    are far too narrow: with three there is almost nothing to resample.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError(f"an interval over seeds needs two seeds and two items at least, not shape {values.shape}")
    seeds, items = values.shape
    mean, by_seed, by_item = values.mean(), values.mean(1), values.mean(0)
    rest = values - by_seed[:, None] - by_item + mean
    of_seed = items * float(((by_seed - mean) ** 2).sum()) / (seeds - 1)
    of_item = seeds * float(((by_item - mean) ** 2).sum()) / (items - 1)
    of_rest = float((rest**2).sum()) / ((seeds - 1) * (items - 1))
    spread = max(of_seed + of_item - of_rest, of_item)
    if spread <= 0:
        return float(mean), float(mean)
    parts = of_seed**2 / (seeds - 1) + of_item**2 / (items - 1) + of_rest**2 / ((seeds - 1) * (items - 1))
    freedom = max(spread**2 / parts, min(seeds, items) - 1.0)
    half = student_quantile(0.5 + confidence / 2, freedom) * math.sqrt(spread / (seeds * items))
    return float(mean) - half, float(mean) + half


def student_quantile(share: float, freedom: float) -> float:
    """Return the t with P(T <= t) = share of Student's distribution, for shares of 0.5 up to (not with) 1.

    With t = sqrt(freedom) tan(angle) the density is cos(angle)^(freedom - 1) on a finite stretch, which is integrated
    by Gauss-Legendre quadrature; the angle is found by halving.
    """
    if not 0.5 <= share < 1 or freedom < 1:
        raise ValueError(f"Student's t needs a share from 0.5 and a freedom from 1, not {share} and {freedom}")
    # Nearly all of a large freedom's mass lies at small angles: the nodes go there.
    widest = math.pi / 2 if freedom < 50 else min(math.pi / 2, 12 / math.sqrt(freedom))
    nodes, weights = np.polynomial.legendre.leggauss(200)

    def mass(angle: float) -> float:
        # A cube for the rest of the right angle smooths the end of small freedoms, where the density's slope has none.
        first = max(0.0, 1 - 2 * angle / math.pi) ** (1 / 3)
        place = first + (1 - first) / 2 * (nodes + 1)
        return (1 - first) * float(weights @ (np.sin(math.pi / 2 * place**3) ** (freedom - 1) * place**2))

    low, high, wanted = 0.0, widest, (2 * share - 1) * mass(widest)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if mass(middle) < wanted else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


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
