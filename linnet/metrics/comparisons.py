"""Which of two is better, and whether that is shown: paired comparisons with a verdict."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from linnet.metrics.intervals import RESAMPLES, bootstrap_interval


@dataclass(frozen=True)
class Comparison:
    """The mean of a - b over pairs, its interval, and what may be said: "better", "worse" or "not shown"."""

    difference: float
    low: float
    high: float
    verdict: Literal["better", "worse", "not shown"]


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

    `a` is better or worse only when the interval of the mean difference leaves out 0. With weights [n] the
    difference is sum(a - b) / sum(weights).
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"a paired comparison needs the same items, not {a.shape} and {b.shape}")
    difference = a - b
    low, high = bootstrap_interval(difference, weights, seed=seed, confidence=confidence, resamples=resamples)
    total = difference.size if weights is None else float(np.sum(weights))
    verdict: Literal["better", "worse", "not shown"] = "not shown"
    if low > 0 or high < 0:
        verdict = "better" if (low > 0) == higher_is_better else "worse"
    return Comparison(float(difference.sum() / total), low, high, verdict)
