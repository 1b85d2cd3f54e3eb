"""Runs of n tokens, and what they tell of a text's variety: distinct-n and repetition."""

from collections.abc import Hashable, Sequence


def ngrams(tokens: Sequence[Hashable], n: int) -> list[tuple[Hashable, ...]]:
    """Return the runs of n tokens in order; none when there are fewer tokens."""
    if n < 1:
        raise ValueError(f"n-grams need n of at least 1, not {n}")
    return [tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]


def distinct_n(texts: Sequence[Sequence[Hashable]], n: int) -> float:
    """Return distinct n-grams / all n-grams over all texts together (Li et al. 2016); texts are lists of tokens."""
    grams = [gram for text in texts for gram in ngrams(text, n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def repetition(texts: Sequence[Sequence[Hashable]], n: int = 4) -> float:
    """Return the mean share of a text's n-grams that it has said before (seq-rep-n, Welleck et al. 2020).

    Texts shorter than n tokens are left out; 0.0 when all are.
    """
    shares = [1 - len(set(grams)) / len(grams) for text in texts if (grams := ngrams(text, n))]
    return sum(shares) / len(shares) if shares else 0.0
