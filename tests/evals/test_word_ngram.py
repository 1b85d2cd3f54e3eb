"""The n-gram model of words: what it finds likely and what it writes."""

import math

import numpy as np
import pytest

from linnet.core.errors import BadInput
from linnet.evals.word_ngram import PIECE, WordNgram

TEXTS = ["the cat sat on the mat.", "the dog sat on the rug.", "the cat ran to the dog.", "a cat sat."] * 5


@pytest.mark.parametrize("text", ["a  b, c!\n d\te", "  x", "don't\n\n", "3.5 cafés", ""])
def test_pieces_are_the_text(text):
    assert "".join(PIECE.findall(text)) == text


def test_what_was_often_said_is_likelier():
    model = WordNgram(TEXTS)
    assert model.nats("the cat", " sat") < model.nats("the cat", " rug")
    assert model.nats("the cat", " unheard") > model.nats("the cat", " ran")
    assert math.isfinite(model.nats("", "quite other words"))
    assert model.likeliest("the cat sat on", [" rug", " the", " mat"]) == " the"
    assert model.likeliest("the dog ran to", [" mat", " the"]) == " the"
    order = sorted([" the", " sat", " ran"], key=lambda word: model.nats("the cat", word))
    assert model.likeliest("the cat", [" the", " sat", " ran"]) == order[0]


def test_nats_are_those_of_the_whole():
    model = WordNgram(TEXTS, order=3)
    ids = np.array([0, *model.ids("the cat sat on the mat.")])
    together = model.nats("the cat", " sat on the mat.")
    assert together == pytest.approx(float(model.model.nats(ids)[2:].sum()))


def test_it_writes_what_it_read():
    model = WordNgram(["one two three four."] * 20)
    assert model.write(["one two", "zero one"], 10) == [" three four."] * 2 or all(
        " three four." in text for text in model.write(["one two"] * 20, 10)[:15]
    )
    assert WordNgram(TEXTS).write(["the"], 5, seed=3) == WordNgram(TEXTS).write(["the"], 5, seed=3)


def test_nothing_to_learn_from():
    with pytest.raises(BadInput, match="needs texts"):
        WordNgram(["", ""])
