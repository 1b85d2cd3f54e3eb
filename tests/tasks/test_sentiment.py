"""Sentiment: the prompt, the labels, and what makes a wrong one hard."""

import pytest

from linnet import tasks
from linnet.data.world.reviews import SHAPES
from linnet.tasks.sentiment import difficulty, example, grade

ROW = {"sentence": "the play was not dull at all . ", "label": 1}
HARD = [
    ("the play was fine .", "ambiguous"),
    ("the play was not fine at all .", "negation"),
    ("it isn't funny .", "negation"),
    ("it is n't funny .", "negation"),
    ("nobody could call this fine .", "negation"),
    ("the play was anything but fine .", "negation"),
    ("a dull start , but a fine play .", "mixed"),
    ("not dull , as they say , but fine .", "mixed"),
    ("although it is dull , it is fine .", "mixed"),
    ("a notable butler .", "ambiguous"),
]


def test_the_prompt_is_that_of_lm_eval():
    asked = example(ROW)
    assert asked.prompt == f"{ROW['sentence']}\nQuestion: Is this sentence positive or negative?\nAnswer:"
    assert (asked.choices, asked.gold, asked.answer) == ((" negative", " positive"), 1, " positive")
    assert asked.question == "Is this sentence positive or negative?\nthe play was not dull at all ."


@pytest.mark.parametrize(
    ("reply", "score", "category"),
    [("positive", 1.0, ""), ("It is positive.", 1.0, ""), ("negative", 0.0, "negation"), ("dull", 0.0, "format")],
)
def test_grades(reply, score, category):
    found = grade(example(ROW), reply)
    assert (found.score, found.category) == (score, category)


@pytest.mark.parametrize(("sentence", "kind"), HARD)
def test_what_is_hard(sentence, kind):
    assert difficulty(example({"sentence": sentence, "label": 0})) == kind


def test_each_denying_shape_of_the_small_world_is_seen_as_one():
    for shape in SHAPES:
        sentence = shape.template.format(s="play", x="fine", y="dull", d="")
        kind = difficulty(example({"sentence": sentence, "label": 0}))
        assert not shape.denied or kind == "negation", sentence
        assert "{y}" not in shape.template or kind == "mixed", sentence


def test_it_is_found():
    assert tasks.find("sentiment").form == "choose"
