"""Texts with labels from tasks and own rows: the question is not shown, columns beside the text are kept for probes."""

import json

import pytest

from linnet.core.errors import BadInput
from linnet.tasks.labelled_texts import read_labelled


def read(data, most=100, text="text", label="label"):
    return read_labelled(str(data), text, label, "train", most, 0.25)


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_small_worlds_reviews():
    texts = read("sentiment", most=40)
    assert (len(texts.train), len(texts.held_out)) == (40, 10)
    assert texts.names == ("negative", "positive")
    assert {one.label for one in texts.train} == {0, 1}
    assert not any("Is this sentence" in one.text for one in texts.train)
    assert texts.protocol == "the split validation"


def test_own_rows(tmp_path):
    rows = [{"note": f"n{n}", "kind": "odd" if n % 2 else "even", "site": n} for n in range(60)]
    texts = read(write(tmp_path / "rows.jsonl", rows), text="note", label="kind")
    assert texts.names == ("even", "odd")
    assert len(texts.train) + len(texts.held_out) == 60
    assert not {one.text for one in texts.train} & {one.text for one in texts.held_out}
    assert all(one.label == int(one.text[1:]) % 2 for one in texts.train)
    assert texts.train[0].beside == {"site": texts.train[0].text[1:]}
    assert "a share of 0.25" in texts.protocol


def test_what_a_fake_news_row_says_beside_its_text_is_kept_apart(tmp_path):
    rows = [
        {"title": f"T{n}", "text": f"Body {n}.", "subject": f"site{n % 3}", "date": "2016", "label": n % 2}
        for n in range(60)
    ]
    texts = read(f"fake_news={write(tmp_path / 'train.jsonl', rows)}")
    one = texts.train[0]
    assert one.text.splitlines() == [f"T{one.text.splitlines()[0][1:]}", f"Body {one.text.splitlines()[0][1:]}."]
    assert one.beside.keys() == {"subject", "date"}
    assert texts.names == ("real", "fake")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"text": "a", "label": 0}] * 9, "holds 1 labels"),
        ([{"text": "a"}], 'no column "label"'),
        ([{"label": 1, "a": 2}, {"label": 2, "a": 2}], 'no column "text"'),
        ([{"text": "a", "label": 0}, {"text": "b", "label": 1}], "give more rows"),
    ],
)
def test_rows_that_teach_no_classes_are_refused(rows, words, tmp_path):
    with pytest.raises(BadInput, match=words):
        read(write(tmp_path / "rows.jsonl", rows))


@pytest.mark.parametrize("task", ["sums", "choices"])
def test_a_task_without_classes_is_refused(task):
    with pytest.raises(BadInput, match="classes"):
        read(task, most=20)
