"""Borrowed rows of the small world: their columns, both labels, and labels that the words bear out."""

from collections import Counter

import pytest

from linnet import tasks
from linnet.data.world import check_story
from linnet.tasks import rows
from linnet.tasks.table import TASKS

BORROWING = [task for task in TASKS if task.borrows]


def read(name, split="test", count=150):
    task = tasks.find(name)
    return list(rows.read(task, f"world:{count}", split)), task


def test_every_task_has_a_kind_or_borrows_one():
    assert all((task.world is None) != (task.borrows is None) for task in TASKS)


@pytest.mark.parametrize("task", BORROWING, ids=lambda task: task.name)
def test_as_many_rows_as_asked_and_both_labels_about_as_often(task):
    found = list(task.examples(rows.read(task, "world:200", "test")))
    assert len(found) == 200
    if task.form == "choose":
        counts = Counter(example.answer if len(set(example.choices)) > 2 else example.gold for example in found)
        often = [count for count in counts.values() if count > 20]
        assert len(often) == 2 or task.name in ("hellaswag", "arc_easy", "arc_challenge")
        assert max(often, default=0) < 140


def test_splits_differ():
    train = {row["question"] + row["passage"] for row in read("boolq", "train", 60)[0]}
    assert not train & {row["question"] + row["passage"] for row in read("boolq", count=60)[0]}


@pytest.mark.parametrize("name", ["boolq", "liar", "covid_news"])
def test_a_true_claim_stands_in_what_is_known(name):
    found, _ = read(name)
    wrong = 0
    for row in found:
        if name == "boolq":
            known, claim, true = row["passage"], row["question"].rpartition("Is it ")[2], row["answer"]
        elif name == "liar":
            known, claim, true = row["context"], row["statement"].rpartition("It is ")[2], row["label"] == 3
        else:
            known, _, claim = row["tweet"].rpartition(" It is ")
            true = row["label"] == "real"
        claim = claim.removesuffix(".")
        if true:
            assert claim in known
        wrong += claim not in known and not true
    assert wrong > 30, "most false values are of nobody who is spoken of"


def test_a_fake_report_contradicts_itself_and_a_real_one_does_not():
    found, _ = read("fake_news", count=30)
    verdicts = Counter((row["label"], check_story(row["text"]).ok) for row in found)
    assert verdicts[0, False] == 0
    assert verdicts[1, True] < 0.2 * (verdicts[1, True] + verdicts[1, False])


def test_pages_have_a_title_and_a_text():
    [row], task = read("wikitext", count=1)
    assert row["page"].startswith(" = ")
    assert task.example(row).answer.startswith(" = ")


def test_the_right_ending_is_the_one_of_the_choices():
    [row] = read("hellaswag", count=1)[0]
    [piqa] = read("choices", count=1)[0]
    assert row["endings"] == [piqa["sol1"], piqa["sol2"]]
    assert int(row["label"]) == piqa["label"]
