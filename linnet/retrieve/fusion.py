"""One ranking of several: reciprocal rank fusion."""

from collections.abc import Sequence

K = 60  # of Cormack et al. 2009: how little the very first places count above those behind them


def fused(
    rankings: Sequence[Sequence[int]], k: int = K, weights: Sequence[float] | None = None
) -> list[tuple[int, float]]:
    """Return (item, score), best first: the sum of weight / (k + rank) over the rankings that hold it, ranks from 1.

    Cormack, Clarke and Buettcher 2009, where all weights are 1. Of equal scores the smaller item comes first.
    """
    scores: dict[int, float] = {}
    for ranking, weight in zip(rankings, weights or [1.0] * len(rankings), strict=True):
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + weight / (k + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
