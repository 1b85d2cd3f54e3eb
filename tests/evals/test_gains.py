"""Gains: each stage against the one before, on the same questions, by pairs."""

import json

import numpy as np
import pytest

from linnet.core.errors import BadInput
from linnet.evals.gains import gains, of_replies, of_tries
from linnet.infer.search import best, checked, majority

QUESTIONS = [f"question {number}" for number in range(100)]


def scores(right: int, questions=QUESTIONS):
    return list(questions), np.array([1.0] * right + [0.0] * (len(questions) - right))


def test_each_stage_is_compared_with_the_one_before():
    found = gains([[("base", scores(0)), ("sft", scores(60)), ("dpo", scores(62))]])
    assert [row["value"] for row in found] == [0, 0.6, 0.62]
    assert found[0]["gain"] is None
    assert found[1]["gain"]["difference"] == pytest.approx(0.6)
    assert [row["gain"]["verdict"] for row in found[1:]] == ["better", "not shown"]
    assert found[1]["low"] < 0.6 < found[1]["high"]


def test_over_seeds_the_interval_is_wider():
    one = gains([[("a", scores(40)), ("b", scores(60))]])[1]["gain"]
    lives = [[("a", scores(40)), ("b", scores(right))] for right in (42, 60, 90)]
    three = gains(lives)[1]["gain"]
    assert three["high"] - three["low"] > one["high"] - one["low"]
    assert three["difference"] == pytest.approx((0.02 + 0.2 + 0.5) / 3)
    for row in gains([[("a", scores(2)), ("b", scores(98))], [("a", scores(9)), ("b", scores(80))]]):
        assert 0 <= row["low"] <= row["value"] <= row["high"] <= 1  # a share, however few seeds there are


def test_scores_between_right_and_wrong_have_an_interval_around_their_mean():
    graded = (list(QUESTIONS), np.array([0.25, 0.5] * 50))
    [row] = gains([[("summaries", graded)]])
    assert 0.34 < row["low"] < row["value"] == 0.375 < row["high"] < 0.41


def test_lives_of_other_stages_are_refused():
    with pytest.raises(BadInput, match="another base, dpo"):
        gains([[("base", scores(0)), ("sft", scores(1))], [("base", scores(0)), ("dpo", scores(1))]])


def test_other_questions_are_refused():
    with pytest.raises(BadInput, match="sft was asked other questions"):
        gains([[("base", scores(0)), ("sft", scores(1, QUESTIONS[:50] + ["another"] * 50))]])


def test_scores_are_read_from_files(tmp_path):
    replies, tries = tmp_path / "replies.jsonl", tmp_path / "tries.jsonl"
    replies.write_text(
        "".join(json.dumps({"question": q, "score": s}) + "\n" for q, s in (("a", 1.0), ("b", 0.0), ("a", 0.0)))
    )
    said = [
        ("a", "4", False, 0.9),
        ("a", "5", True, 0.2),
        ("a", "5", True, 0.3),
        ("b", "7", True, 0.6),
        ("a", "4", False, 1.0),
    ]
    columns = ("question", "said", "is_correct", "score")
    rows = [{**dict(zip(columns, row, strict=True)), "tokens": 3, "sound": row[1] != "5"} for row in said]
    tries.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert of_replies(replies)[0] == of_tries(tries, majority)[0] == ["a", "b"]
    assert of_replies(replies)[1].tolist() == [1, 0]
    assert of_tries(tries, majority)[1].tolist() == [1, 1]
    assert of_tries(tries, best)[1].tolist() == [0, 1]
    assert of_tries(tries, checked)[1].tolist() == [0, 1]
