"""Rows of the table: what stands beside a number, and the parts it is split into."""

import numpy as np
import pytest

from linnet.evals.contamination import CLEAN, EXACT, OVERLAP
from linnet.evals.suite import Answer, Asked
from linnet.evals.suite_table import (
    Material,
    contamination_numbers,
    flat,
    mistakes_text,
    reply_rows,
    rows_of,
)
from linnet.tasks import find
from linnet.tasks.task import Example, Grade

TASK = find("facts")


def example(thing: str) -> Example:
    row = {"statement": f"{thing} of Mia", "question": "What has Mia?", "answer": thing}
    return Example(f"Mia has a blue {thing}.\nWhat has Mia?", "", f" a {thing}", row=row)


ROWS = [example(thing) for thing in ("ball", "kite", "book", "lamp", "drum", "coat", "ring", "pipe")]


def asked(right: set[int]) -> Asked:
    answers = [
        Answer(row, "reply", Grade(1.0, row.answer) if n in right else Grade(0.0, "x", "wrong place"))
        for n, row in enumerate(ROWS)
    ]
    return Asked(TASK, tuple(answers), "asked somehow", 1.234)


@pytest.fixture
def material() -> Material:
    return Material.build(TASK, "some rows", "test", ROWS, ROWS)


def test_a_row_holds_everything(material):
    found = np.array([CLEAN, CLEAN, CLEAN, CLEAN, CLEAN, OVERLAP, OVERLAP, EXACT])
    [row] = rows_of("sft", asked({0, 1, 5}), material, [asked({1}), asked({0, 1, 5, 6})], found)
    assert (row["run"], row["task"], row["metric"], row["value"], row["n"]) == ("sft", "facts", "exact match", 3 / 8, 8)
    assert row["low"] < 3 / 8 < row["high"]
    assert row["clean"] == {
        "n": 5,
        "value": 0.4,
        "low": pytest.approx(0.118, abs=1e-3),
        "high": pytest.approx(0.769, abs=1e-3),
    }
    assert (row["dirty"]["n"], row["dirty"]["value"]) == (3, 1 / 3)
    assert row["against_first"]["difference"] == pytest.approx(2 / 8)
    assert row["against_before"]["difference"] == pytest.approx(-1 / 8)
    assert row["protocol"] == "8 rows of some rows, test split; asked somehow; interval: Wilson"
    assert row["seconds"] == 1.23
    # The training rows are those asked: the nearest one is the row itself.
    assert (row["best_baseline"], row["baselines"]["nearest"]) == ("nearest", 1.0)
    assert row["against_baseline"]["difference"] == pytest.approx(-5 / 8)
    assert row["against_baseline"]["verdict"] == "not shown"  # 5 rows differ
    assert rows_of("sft", asked(set()), material, [], None)[0]["against_baseline"]["verdict"] == "worse"


def test_the_first_run_has_nobody_before_it(material):
    [row] = rows_of("base", asked({1}), material, [], None)
    assert row["against_first"] is row["against_before"] is row["clean"] is row["dirty"] is None
    [row] = rows_of("base", asked({1}), material, [], np.zeros(8, dtype=int))
    assert (row["dirty"], row["clean"]["n"]) == ({"n": 0}, 8)


def test_flat_rows_have_the_same_columns(material):
    first, second = asked({1}), asked({0, 1, 5})
    rows = [*rows_of("a", first, material, [], None), *rows_of("b", second, material, [first], np.zeros(8, dtype=int))]
    one, two = map(flat, rows)
    assert list(one) == list(two)
    assert not any(isinstance(value, dict | list) for value in (*one.values(), *two.values()))
    assert two["clean_value"] == two["value"]
    assert (two["baseline"], two["best_baseline"], two["against_first"]) == (1.0, "nearest", "not shown")
    assert two["difference"] == pytest.approx(0.25)
    assert "nearest 1" in two["baselines"]


def test_replies_are_kept_with_what_was_found():
    rows = reply_rows(asked({0}).answers, np.array([CLEAN] * 6 + [OVERLAP, EXACT]))
    assert [row["contaminated"] for row in rows[5:]] == ["", "overlap", "exact"]
    assert rows[1] == {
        "row": 1, "score": 0.0, "category": "wrong place", "said": "x", "wanted": "a kite", "contaminated": "",
        "numbers": {}, "reply": "reply", "question": "Mia has a blue kite.\nWhat has Mia?",
    }  # fmt: skip
    assert reply_rows(asked({0}).answers, None)[0]["contaminated"] is None


def test_mistakes_are_sorted_by_kind():
    answers = list(asked({0}).answers)
    answers[3] = Answer(ROWS[3], "```\n# not a heading", Grade(0.0, "", "format"))
    text = mistakes_text("sft", Asked(TASK, tuple(answers), "", 0))
    assert "## facts: sft" in text
    assert "7 of 8 rows are wrong." in text
    assert text.index("### wrong place: 6") < text.index("### format: 1")
    assert text.count("[asked]") == 3 + 1
    assert "\n    # not a heading" in text  # indented: it ends nothing


def test_contamination_is_counted():
    found = contamination_numbers(np.array([CLEAN, OVERLAP, CLEAN]))
    assert found == {"rows": 3, "clean": 2, "overlap": 1, "exact": 0}


def test_texts_are_the_columns_that_hold_text(material):
    assert material.texts[0] == ["ball of Mia", "What has Mia?", "ball"]
    labelled = Example("q", "p", "a", row={"sentence": "so good", "label": 1})
    assert Material(find("sentiment"), "s", "test", (labelled,)).texts == [["so good"]]
