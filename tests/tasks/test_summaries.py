"""Summaries are graded by ROUGE; both data sets read alike."""

import pytest

from linnet.tasks.summaries import DIALOGSUM, TASK, example

ROW = {"dialogue": "Ann: Hi!\r\nBob: Hello!", "summary": "Ann greets Bob."}


def test_lines_end_alike():
    asked = example(ROW)
    assert asked.prompt + asked.answer == "Ann: Hi!\nBob: Hello!\nSummary: Ann greets Bob."
    assert asked.question == "Sum up the dialogue.\nAnn: Hi!\nBob: Hello!"


def test_grades():
    asked = example(ROW)
    found = TASK.grade(asked, "Bob greets Ann.")
    assert dict(found.numbers) == pytest.approx({"rouge1": 1.0, "rouge2": 0.0, "rougeL": 1 / 3})
    assert found.score == pytest.approx(1 / 3)
    assert TASK.grade(asked, " ann greets bob ").correct
    assert TASK.grade(asked, "").category == "format"


def test_dialogsum_is_another_set_of_the_same_kind():
    assert (DIALOGSUM.name, DIALOGSUM.columns, DIALOGSUM.hub) == ("dialogsum", TASK.columns, "knkarthick/dialogsum")
