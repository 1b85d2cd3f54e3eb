"""Words are compared without case, possessives, compatibility forms or the marks around them."""

import pytest

from linnet.retrieve.words import MOST_LETTERS, asked_for, terms


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mia's house, MIA’S dog.", ["mia", "house", "mia", "dog"]),
        ("don't pay $3.50 (or 1,000)!", ["don't", "pay", "3.50", "or", "1,000"]),
        ("Super_Bowl_50", ["super", "bowl", "50"]),
        ("ﬁne ＡＢ Straße", ["fine", "ab", "strasse"]),
        ("снег идёт", ["снег", "идёт"]),
        ("...!?", []),
        ("", []),
    ],
)
def test_the_words_of_a_text(text, words):
    assert terms(text) == words


def test_a_run_of_letters_without_end_is_cut():
    assert terms("x" * 1000) == ["x" * MOST_LETTERS]


def test_what_a_question_is_about():
    assert asked_for(terms("What does the linnet in the hedge eat?")) == ["linnet", "hedge", "eat"]
    assert asked_for(["what", "is", "that"]) == ["what", "is", "that"]
