"""Rows come from the small world, files and folders; a missing column or a value of no use is one clear line."""

import json
from dataclasses import replace

import pytest

from linnet import tasks
from linnet.core.errors import BadInput
from linnet.data import world
from linnet.tasks import rows

SST = [{"idx": 0, "sentence": "a fine play .", "label": 1}, {"idx": 1, "sentence": "dull .", "label": 0}]


def write(path, items):
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


def test_the_small_world_is_read_by_count_and_seed():
    task = tasks.find("sentiment")
    found = list(rows.read(task, "world:7:3", "validation"))
    whole = world.rows("reviews", "validation", seed=3)
    assert found == [next(whole) for _ in range(7)]
    assert list(rows.read(task, "world/reviews:7:3", "validation")) == found
    assert list(rows.read(task, "world:7:4", "validation")) != found


def test_a_file_serves_any_split_and_a_folder_its_own(tmp_path):
    task = tasks.find("sentiment")
    path = write(tmp_path / "validation.jsonl", SST)
    assert list(rows.read(task, path, "test")) == SST
    assert list(rows.read(task, tmp_path, "validation")) == SST
    with pytest.raises(BadInput, match=r'no split "test"\. There are: validation'):
        list(rows.read(task, tmp_path, "test"))


def test_the_split_that_is_measured():
    task = tasks.find("sentiment")
    assert rows.measured_split(task, "stanfordnlp/sst2") == "validation"
    assert rows.measured_split(task, "world:5") == "test"


def test_a_missing_column_is_named_with_the_nearest(tmp_path):
    path = write(tmp_path / "a.jsonl", [SST[0], {"sentense": "dull .", "label": 0}])
    with pytest.raises(BadInput) as error:
        list(rows.read(tasks.find("sentiment"), path, "test"))
    assert str(error.value) == (
        f'{path}, row 2: no column "sentence", which the task sentiment needs. Did you mean "sentense"? '
        "There are: sentense, label"
    )


def test_no_rows_are_an_error(tmp_path):
    with pytest.raises(BadInput, match="no rows in it; the task sums takes the columns question, answer"):
        list(rows.read(tasks.find("sums"), write(tmp_path / "a.jsonl", []), "test"))


@pytest.mark.parametrize(
    ("name", "source", "words"),
    [
        (
            "sums",
            "world/stories:5",
            'its rows are of the kind "sums"; give a folder, a file or the hub name openai/gsm8k',
        ),
        ("boolq", "world/stories:5", 'its rows are of the kind "preferences"'),
        ("sums", "no-such-folder", "no such file, folder or data set"),
    ],
)
def test_a_source_that_has_no_such_rows(name, source, words):
    with pytest.raises(BadInput, match=words):
        list(rows.read(tasks.find(name), source, "test"))


def test_a_task_without_a_twin_says_so():
    lonely = replace(tasks.find("sums"), world=None)
    with pytest.raises(BadInput, match="the task sums: it has no twin in the small world"):
        list(rows.read(lonely, "world:5", "test"))


@pytest.mark.parametrize("value", [0, 1, "1", " 0 ", 1.0, True])
def test_labels(value):
    assert rows.label({"label": value}, "label", 2) == int(float(value))


@pytest.mark.parametrize(
    "value", [2, -1, "2", "-1", "", "one", 0.5, None, [1], float("nan"), float("inf"), "٠", "9" * 99]
)
def test_other_labels_are_refused(value):
    with pytest.raises(BadInput, match=r'column "label" holds .*; labels go from 0 to 1'):
        rows.label({"label": value}, "label", 2)


def test_a_text_that_is_none_is_refused():
    with pytest.raises(BadInput, match=r'column "question" holds NoneType \(None\), not text'):
        rows.text({"question": None}, "question")
