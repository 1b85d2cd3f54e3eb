"""BM25 against the formula computed by hand, and an index whose arrays do not fit."""

import math
from dataclasses import replace

import numpy as np
import pytest

from linnet.core.errors import BadInput
from linnet.retrieve.bm25 import Words

TEXTS = [["the", "cat", "sat"], ["the", "cat", "the", "cat", "the", "dog"], ["a", "bird"]]


def test_scores_by_hand():
    words = Words.of(TEXTS)
    cat = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))  # stands in 2 of 3 chunks
    dog = math.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    mean = (3 + 6 + 2) / 3

    def part(f, length):
        return f * 2.2 / (f + 1.2 * (1 - 0.75 + 0.75 * length / mean))

    np.testing.assert_allclose(words.scores(["cat", "dog"]), [cat * part(1, 3), cat * part(2, 6) + dog * part(1, 6), 0])
    np.testing.assert_allclose(words.scores(["dog", "dog", "nothing"]), [0, 2 * dog * part(1, 6), 0])
    assert words.rarity("cat") == pytest.approx(cat)
    assert words.rarity("nothing") == pytest.approx(math.log(1 + 3.5 / 0.5))
    assert (words.scores([]) == 0).all()


def test_a_common_word_never_counts_against_a_chunk():
    words = Words.of([["the"], ["the"], ["the", "end"]])
    assert (words.scores(["the"]) > 0).all()


def test_coverage_is_the_share_of_rarity_that_a_chunk_holds():
    words = Words.of(TEXTS)
    cat, dog = words.rarity("cat"), words.rarity("dog")
    assert words.coverage(["cat", "dog", "cat"], ["cat", "x"]) == pytest.approx(cat / (cat + dog))
    assert words.coverage(["cat", "dog"], ["dog", "cat"]) == pytest.approx(1)
    assert words.coverage([], ["cat"]) == 0


def test_an_empty_index_and_one_of_empty_chunks_find_nothing():
    assert Words.of([]).scores(["a"]).tolist() == []
    assert Words.of([[], []]).scores(["a"]).tolist() == [0, 0]


@pytest.mark.parametrize(
    "change",
    [
        lambda words: {"starts": words.starts[:-1]},
        lambda words: {"starts": words.starts[::-1].copy()},
        lambda words: {"chunks": words.chunks + 3},
        lambda words: {"chunks": words.chunks - 1},
        lambda words: {"counts": words.counts[:-1]},
        lambda words: {"lengths": words.lengths[None]},
        lambda words: {"vocabulary": dict(list(words.vocabulary.items())[:-1])},
        lambda words: {"vocabulary": dict.fromkeys(words.vocabulary, 0)},
    ],
)
def test_arrays_that_do_not_fit_are_refused(change):
    words = Words.of(TEXTS)
    assert words.checked("here") is words
    with pytest.raises(BadInput, match=r"here: its words and chunks do not fit"):
        replace(words, **change(words)).checked("here")
