"""Pure measures on numbers and texts: bits per byte, intervals, comparisons, diversity. NumPy only.

Nats are sums of -ln p. A measure that has an uncertainty has an interval function beside it.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

RESAMPLES = 2_000
DRAWS_AT_ONCE = 2**22  # bounds the memory of a bootstrap


def bits_per_byte(nats: float, byte_count: int) -> float:
    """Return the code length of a text in bits for each of its UTF-8 bytes: comparable across tokenizers."""
    if byte_count < 1:
        raise ValueError(f"bits per byte need at least one byte of text, not {byte_count}")
    return nats / math.log(2) / byte_count


def perplexity(nats: float, tokens: int) -> float:
    """Return exp(nats / tokens): comparable only between models with the same tokenizer; inf when too large."""
    if tokens < 1:
        raise ValueError(f"a perplexity needs at least one token, not {tokens}")
    return math.exp(nats / tokens) if nats / tokens < 700 else math.inf


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


def distinct_n(texts: Sequence[Sequence[Hashable]], n: int) -> float:
    """Return distinct n-grams / all n-grams over all texts together (Li et al. 2016); texts are lists of tokens."""
    grams = [gram for text in texts for gram in _ngrams(text, n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def repetition(texts: Sequence[Sequence[Hashable]], n: int = 4) -> float:
    """Return the mean share of a text's n-grams that it has said before (seq-rep-n, Welleck et al. 2020).

    Texts shorter than n tokens are left out; 0.0 when all are.
    """
    shares = [1 - len(set(grams)) / len(grams) for text in texts if (grams := _ngrams(text, n))]
    return sum(shares) / len(shares) if shares else 0.0


def _ngrams(text: Sequence[Hashable], n: int) -> list[tuple[Hashable, ...]]:
    if n < 1:
        raise ValueError(f"n-grams need n of at least 1, not {n}")
    return [tuple(text[start : start + n]) for start in range(len(text) - n + 1)]


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
