"""Cloze: the last word is asked for, and the first word of a reply counts."""

import pytest

from linnet.core.errors import BadInput
from linnet.tasks.cloze import example, grade

ROW = {"text": "Ann had a lamp. Bob took the lamp"}


def test_the_prompt_is_all_but_the_last_word():
    asked = example(ROW)
    assert (asked.prompt, asked.answer) == ("Ann had a lamp. Bob took the", " lamp")
    assert asked.question.endswith(asked.prompt)


@pytest.mark.parametrize(
    ("reply", "score", "category"),
    [
        (" lamp", 1.0, ""),
        ('lamp."', 1.0, ""),
        ("lamp and left", 1.0, ""),
        ("Bob", 0.0, "known word"),
        ("cat", 0.0, "new word"),
        ("Lamp", 0.0, "new word"),
        ("lamps", 0.0, "new word"),
        (" . ", 0.0, "format"),
    ],
)
def test_grades(reply, score, category):
    found = grade(example(ROW), reply)
    assert (found.score, found.category) == (score, category)


def test_one_word_is_no_cloze():
    with pytest.raises(BadInput, match="no two words"):
        example({"text": "lamp"})
