"""Counts of a text: checked against what a person counts, and against entropies that are known."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.by_hand.counts import character_counts, decode, encode, entropy, vocabulary, word_counts

RHYME = "The bird saw a bird. The bird didn't sing!"


def test_characters_of_a_word():
    assert character_counts("banana") == {"a": 3, "n": 2, "b": 1}
    assert list(character_counts("cab")) == ["a", "b", "c"]  # equal counts in order


def test_words_of_a_rhyme():
    assert list(word_counts(RHYME).items()) == [
        ("bird", 3), ("the", 2), ("a", 1), ("didn't", 1), ("saw", 1), ("sing", 1),
    ]  # fmt: skip


def test_words_with_marks_and_other_scripts():
    assert word_counts("'quoted' well-known Été—été 42") == {
        "été": 2, "42": 1, "quoted": 1, "well-known": 1,
    }  # fmt: skip


def test_entropies_that_are_known():
    assert entropy({"a": 5}) == 0.0
    assert entropy(dict.fromkeys("abcdefgh", 3)) == pytest.approx(math.log(8))
    assert entropy({"a": 1, "b": 3}) == pytest.approx(0.25 * math.log(4) + 0.75 * math.log(4 / 3))
    with pytest.raises(ValueError, match="nothing was counted"):
        entropy({})


@given(st.text(min_size=1))
@settings(deadline=None)
def test_ids_and_back(text):
    characters = vocabulary(text)
    ids = encode(text, characters)
    assert decode(ids, characters) == text
    assert sorted(set(ids.tolist())) == list(range(len(characters)))
    assert sum(character_counts(text).values()) == len(text)
    assert entropy(character_counts(text)) <= math.log(len(characters)) + 1e-12


def test_an_unknown_character_is_named():
    with pytest.raises(ValueError, match="'z' at place 2 is not among the 3"):
        encode("abz", "abc")
