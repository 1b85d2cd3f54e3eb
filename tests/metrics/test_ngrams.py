"""Runs of tokens, distinct-n and repetition by hand."""

import pytest

from linnet.metrics import distinct_n, ngrams, repetition


def test_runs_in_order():
    assert ngrams("abcd", 2) == [("a", "b"), ("b", "c"), ("c", "d")]
    assert ngrams("abcd", 4) == [("a", "b", "c", "d")]
    assert ngrams("abcd", 5) == []


def test_distinct_and_repetition_by_hand():
    texts = [["a", "b", "a", "b"], ["a", "b", "c"]]
    assert distinct_n(texts, 1) == pytest.approx(3 / 7)
    assert distinct_n(texts, 2) == pytest.approx(3 / 5)
    assert repetition(texts, 2) == pytest.approx((1 / 3 + 0) / 2)
    assert repetition([["x"] * 12], 4) == pytest.approx(1 - 1 / 9)
    assert repetition([["x"]], 4) == 0.0
    assert distinct_n([], 2) == 0.0
    with pytest.raises(ValueError, match="at least 1"):
        distinct_n(texts, 0)
