"""A task makes examples of rows and says which row is of no use."""

import pytest

from linnet import tasks
from linnet.core.errors import BadInput
from linnet.tasks.task import Grade


def test_full_marks_are_correct():
    assert Grade(1.0, "yes").correct
    assert not Grade(0.5, "yes").correct


def test_the_row_with_a_wrong_value_is_named():
    good = {"sentence": "fine .", "label": 1}
    task = tasks.find("sentiment")
    found = task.examples([good, {**good, "label": 7}])
    assert next(found).gold == 1
    with pytest.raises(BadInput, match=r'sentiment, row 2: column "label" holds 7; labels go from 0 to 1'):
        next(found)
