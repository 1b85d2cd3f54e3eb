"""Patterns: what is in the grammar is read with its slots, what is not is not."""

import pytest

from linnet.data.world import documents
from linnet.data.world.reading.patterns import read
from linnet.data.world.reading.sentences import sentences


def test_a_worked_example():
    [reading] = read("After that, Mira gave the red kite to him.")
    assert reading.event == "give"
    assert [(slot.name, words) for slot, words in reading.words] == [("A", "Mira"), ("T", "the red kite"), ("B", "him")]


@pytest.mark.parametrize(
    "sentence",
    [
        "mira gave the red kite to him.",
        "Mira gave the red kite to him",
        "Mira gave a red kite to him.",
        "Mira gave the kite red to him.",
        "Mira gave the red kite to he.",
        "Mira gaves the red kite to him.",
        "Then she gave the red kite to him. ",
        "then she gave the red kite to him.",
        "Then She gave the red kite to him.",
        "Bob gave the red kite to him.",
        "Mira was on the kitchen.",
        '"Thank you, Tom!" said she.',
        '"Thank you, Tom!" she said',
        "Mira had one pears.",
        "",
    ],
)
def test_what_is_not_in_the_grammar(sentence):
    assert read(sentence) == []


def test_no_pattern_takes_just_anything():
    """A sentence with a word said twice, or with a strange word, is none."""
    for text in documents("test", 2, 60, kinds=("stories",)):
        for sentence in sentences(text):
            words = sentence.split(" ")
            for i in range(len(words)):
                assert not read(" ".join([*words[: i + 1], *words[i:]])), (sentence, i)
                assert not read(" ".join([*words[:i], "window", *words[i:]])), (sentence, i)
