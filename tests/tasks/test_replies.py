"""Which choice a written reply names."""

import pytest

from linnet.tasks.replies import chosen, lettered

LABELS = ("negative", "positive")
WAYS = ("use a red ladder.", "use a red lamp.", "use a red ladder and a red lamp.")
TABLE = [
    ("positive", LABELS, 1),
    (" Positive.\n", LABELS, 1),
    ("The sentence is negative", LABELS, 0),
    ("negative, negative", LABELS, 0),
    ("positive or negative", LABELS, -1),
    ("not positive", LABELS, -1),
    ("", LABELS, -1),
    ("good", LABELS, -1),
    ("positively", LABELS, -1),
    ("A", LABELS, 0),
    ("B.", LABELS, 1),
    ("(B)", LABELS, 1),
    ("B) positive", LABELS, 1),
    ("B: positive", LABELS, 1),
    ("C", LABELS, -1),
    ("b", LABELS, -1),
    ("A good play", LABELS, -1),
    ("use a red ladder.", WAYS, 0),
    ("Use red ladder", WAYS, 0),
    ("use a red ladder and a red lamp.", WAYS, 2),
    ("You should use a red ladder and a red lamp.", WAYS, 2),
    ("use a red", WAYS, -1),
    ("mostly-true", ("true", "mostly-true"), 1),
    ("true", ("true", "mostly-true"), 0),
    ("A", ("B", "A"), 1),
    ("same", ("same", "same"), 0),
]


@pytest.mark.parametrize(("reply", "choices", "number"), TABLE)
def test_the_table(reply, choices, number):
    assert chosen(reply, choices) == number


def test_letters():
    assert lettered([" one", " two"]) == "A. one\nB. two"
