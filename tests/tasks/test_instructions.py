"""Instructions: the prompt with and without an input, and how replies are graded."""

import pytest

from linnet.tasks.instructions import example, grade

ROW = {"instruction": "Turn the list around.", "input": "cup, hat", "output": "hat, cup"}


def test_prompts():
    asked = example(ROW)
    assert asked.prompt + asked.answer == "Instruction: Turn the list around.\nInput: cup, hat\nOutput: hat, cup"
    assert asked.question == "Turn the list around.\ncup, hat"
    bare = example({**ROW, "input": ""})
    assert (bare.question, bare.prompt) == ("Turn the list around.", "Instruction: Turn the list around.\nOutput:")


@pytest.mark.parametrize(
    ("reply", "score", "category"),
    [
        ("hat, cup", 1.0, ""),
        ("  hat,\ncup ", 1.0, ""),
        ("", 0.0, "format"),
        ("cup, hat", 0.0, "not done"),
        ("hat, cup hat, cup", 0.0, "goes on"),
        ("Hat, cup", 0.0, "wrong"),
    ],
)
def test_grades(reply, score, category):
    found = grade(example(ROW), reply)
    assert (found.score, found.category) == (score, category)


def test_rouge_tells_how_near_a_reply_is():
    assert grade(example(ROW), "hat").numbers["rougeL"] == pytest.approx(2 / 3)
