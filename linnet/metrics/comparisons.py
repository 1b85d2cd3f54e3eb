"""Which of two is better, and whether that is shown: paired comparisons with a verdict, by items and by seeds."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from linnet.metrics.intervals import RESAMPLES, bootstrap_interval, bootstrap_statistic, interval_over_seeds

Verdict = Literal["better", "worse", "not shown"]


@dataclass(frozen=True)
class Comparison:
    """The mean of a - b over pairs, its interval, and what may be said: "better", "worse" or "not shown".

    `p` is that of the exact test where there is one (right or wrong answers of two models), else None.
    """

    difference: float
    low: float
    high: float
    verdict: Verdict
    p: float | None = None


def compare_paired(
    a: np.ndarray,
    b: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    higher_is_better: bool,
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare a with b, both [n] and measured on the same items, by a paired bootstrap (Koehn 2004).

    `a` is better or worse only when the interval of the mean difference leaves out 0, when enough items differ for a
    sign test to show anything at all, and, where both hold only 0 and 1, when McNemar's exact test agrees. With
    weights [n] the difference is sum(a - b) / sum(weights).
    """
    a, b = _same_items(a, b, 1)
    difference = a - b
    low, high = bootstrap_interval(difference, weights, seed=seed, confidence=confidence, resamples=resamples)
    total = difference.size if weights is None else float(np.sum(weights))
    p = mcnemar(a, b) if _right_or_wrong(a) and _right_or_wrong(b) else None
    shown = (p is None or p <= 1 - confidence) and _could_show(int((difference != 0).sum()), confidence)
    verdict = _verdict(low, high, higher_is_better) if shown else "not shown"
    return Comparison(float(difference.sum() / total), low, high, verdict, p)


def compare_statistics(
    a: Callable[[np.ndarray], float],
    b: Callable[[np.ndarray], float],
    count: int,
    *,
    higher_is_better: bool,
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = 1_000,
) -> Comparison:
    """Compare two numbers that are no means, such as F1 or BLEU, by drawing the same items for both (Koehn 2004).

    `a` and `b` are given the places of the items drawn and return their number.
    """
    low, high = bootstrap_statistic(
        lambda drawn: a(drawn) - b(drawn), count, seed=seed, confidence=confidence, resamples=resamples
    )
    everything = np.arange(count)
    shown = _could_show(count, confidence)
    verdict = _verdict(low, high, higher_is_better) if shown else "not shown"
    return Comparison(a(everything) - b(everything), low, high, verdict)


def compare_over_seeds(a: np.ndarray, b: np.ndarray, *, higher_is_better: bool, confidence: float = 0.95) -> Comparison:
    """Compare a with b, both [seeds, items]: would it come out so again with other seeds and with other items?

    Row s of both was made with the same seed, column i is the same item. The interval is `interval_over_seeds` of
    a - b; with one seed it is `compare_paired`, which speaks of items only.
    """
    a, b = _same_items(a, b, 2)
    if len(a) == 1:
        return compare_paired(a[0], b[0], higher_is_better=higher_is_better, confidence=confidence)
    low, high = interval_over_seeds(a - b, confidence)
    shown = _could_show(int((a != b).any(axis=0).sum()), confidence)
    verdict = _verdict(low, high, higher_is_better) if shown else "not shown"
    return Comparison(float((a - b).mean()), low, high, verdict)


def mcnemar(a: np.ndarray, b: np.ndarray) -> float:
    """Return the exact two-sided p that a and b, right (1) or wrong (0) on the same items, are right equally often.

    McNemar 1947 in its exact form: the sign test of the items on which they differ.
    """
    a, b = _same_items(a, b, 1)
    if not (_right_or_wrong(a) and _right_or_wrong(b)):
        raise ValueError("McNemar's test is of right (1) and wrong (0) answers; for other scores use sign_test")
    return sign_test(a - b)


def sign_test(differences: np.ndarray) -> float:
    """Return the exact two-sided p that positive and negative differences [n] are equally likely; zeros are left out.

    p = min(1, 2 P(X <= k)) of k of the rarer sign under a fair coin.
    """
    differences = np.asarray(differences, dtype=np.float64)
    above, below = int((differences > 0).sum()), int((differences < 0).sum())
    trials, rarer = above + below, min(above, below)
    if not trials:
        return 1.0
    ways = np.array([_ln_choose(trials, k) for k in range(rarer + 1)]) - trials * math.log(2)
    return min(1.0, 2 * math.exp(ways.max()) * float(np.exp(ways - ways.max()).sum()))


def _ln_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _could_show(differing: int, confidence: float) -> bool:
    """Say whether a sign test of so many items has any outcome that is rare enough: below 6 none is, at 95%."""
    return 2.0 ** (1 - differing) <= 1 - confidence


def _verdict(low: float, high: float, higher_is_better: bool) -> Verdict:
    if low > 0 or high < 0:
        return "better" if (low > 0) == higher_is_better else "worse"
    return "not shown"


def _right_or_wrong(scores: np.ndarray) -> bool:
    return bool(np.isin(scores, (0.0, 1.0)).all())


def _same_items(a: np.ndarray, b: np.ndarray, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"a paired comparison needs the same items, not {a.shape} and {b.shape}")
    if a.ndim != dimensions or not a.size:
        raise ValueError(f"a comparison needs {('a list', '[seeds, items]')[dimensions - 1]}, not shape {a.shape}")
    return a, b
