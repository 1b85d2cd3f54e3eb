"""Pairs of a model's own replies: right against wrong, each once, and found again instead of made anew."""

import json

import pytest

from linnet.core.errors import BadInput, NothingToLearn
from linnet.infer import own_pairs as module
from linnet.infer.candidates import Candidate
from linnet.infer.own_pairs import make_own_pairs, mended_pairs, own_pairs
from linnet.tasks import find
from linnet.tasks.task import Example, Grade
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import network

ASKED = [Example("1+1?", "", "2"), Example("1+2?", "", "3"), Example("1+3?", "", "4")]


def reply(text, right, finished=True, category="arithmetic"):
    return Candidate(text, (1,), Grade(float(right), text, "" if right else category), finished)


def test_right_is_paired_with_wrong_and_no_reply_is_used_twice():
    groups = [
        [reply("2", True), reply("3", False), reply(" 2 ", True), reply("4", False), reply("two", True)],
        [reply("3", True), reply("three", True)],  # nothing wrong
        [reply("5", False), reply("4", True, finished=False)],  # the right one did not end
    ]
    rows = list(own_pairs(ASKED, groups, most=5))
    assert [(row["prompt"], row["chosen"], row["rejected"]) for row in rows] == [
        ("1+1?", "2", "3"),
        ("1+1?", "two", "4"),
    ]
    assert {row["reason"] for row in rows} == {"arithmetic"}
    assert len(list(own_pairs(ASKED, groups, most=1))) == 1
    assert not list(own_pairs(ASKED[2:], groups[2:]))


def test_a_right_answer_by_a_wrong_step_is_no_example_to_follow():
    wrong_step = "7-3 = <<7-3=5>>5, 32+5 = <<32+5=36>>36\n#### 36"
    right_step = "7-3 = <<7-3=4>>4, 32+4 = <<32+4=36>>36\n#### 36"
    groups = [[reply(wrong_step, True), reply(right_step, True), reply("#### 2", False), reply("#### 3", False)]]
    assert [row["chosen"] for row in own_pairs(ASKED[:1], groups, 5, find("sums").flawed)] == [right_step]
    assert len(list(own_pairs(ASKED[:1], groups, 5))) == 2


def test_a_wrong_step_is_paired_with_the_same_put_right_also_where_the_answer_is_right():
    slip, other = "7-3 = <<7-3=5>>5, 32+5 = <<32+5=36>>36\n#### 36", "7-3 = <<7-3=2>>2\n#### 2"
    groups = [
        [reply(slip, True), reply("7-3 = <<7-3=4>>4\n#### 4", False), reply(slip, False), reply(other, False)],
        [reply("no sum at all", False)],
    ]
    mended = find("sums").mended
    rows = list(mended_pairs(ASKED[:2], groups, mended, most=5))
    assert [(row["rejected"], row["chosen"]) for row in rows] == [
        ("7-3 = <<7-3=5", "7-3 = <<7-3=4>>4"),
        ("7-3 = <<7-3=2", "7-3 = <<7-3=4>>4"),
    ]
    assert all(row["unfinished"] is True and row["prompt"] == "1+1?" for row in rows)
    assert len(list(mended_pairs(ASKED[:2], groups, mended, most=1))) == 1


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train_bpe(["user assistant what is 1 + 2 ? \n"] * 3, 280)


def graded_by_length(monkeypatch):
    """Let replies of an even number of letters be right; return how often the model was asked."""
    asked = []
    real = module.candidates

    def watched(model, tokenizer, task, examples, count, sampling):
        asked.append(len(examples))
        groups = real(model, tokenizer, task, examples, count, sampling.but(max_tokens=5))
        return [[reply(one.text, len(one.text) % 2 == 0) for one in group] for group in groups]

    monkeypatch.setattr(module, "candidates", watched)
    return asked


def test_a_file_is_written_once_and_found_again(tokenizer, tmp_path, monkeypatch):
    asked = graded_by_length(monkeypatch)
    model = network(tokenizer.vocab_size, context_length=512)
    path = make_own_pairs(tmp_path, model, tokenizer, "sums:5", 4, seed=0)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows
    assert all(len(row["chosen"]) % 2 == 0 and len(row["rejected"]) % 2 == 1 for row in rows)
    assert asked == [5]
    assert make_own_pairs(tmp_path, model, tokenizer, "sums:5", 4, seed=0) == path
    assert asked == [5]
    other = make_own_pairs(tmp_path, network(tokenizer.vocab_size, 6, context_length=512), tokenizer, "sums:5", 4, 0)
    assert other != path
    assert make_own_pairs(tmp_path, model, tokenizer, "sums:5", 4, seed=1) not in (path, other)


def test_a_model_that_gets_nothing_right_is_one_line(tokenizer, tmp_path):
    model = network(tokenizer.vocab_size, context_length=512)
    with pytest.raises(NothingToLearn, match="of 6 replies 0 are right"):
        make_own_pairs(tmp_path, model, tokenizer, "sums:3", 2, seed=0)
    assert not list(tmp_path.iterdir())


def test_steps_are_another_file_and_only_of_sums(tokenizer, tmp_path, monkeypatch):
    graded_by_length(monkeypatch)
    model = network(tokenizer.vocab_size, context_length=512)
    with pytest.raises(NothingToLearn, match="wrong step"):
        make_own_pairs(tmp_path, model, tokenizer, "sums:5", 4, seed=0, by="steps")
    assert not list(tmp_path.iterdir())
    with pytest.raises(BadInput, match="--pairs-by"):
        make_own_pairs(tmp_path, model, tokenizer, "sentiment:5", 4, seed=0, by="steps")


def test_a_seed_asks_other_questions(tokenizer, tmp_path, monkeypatch):
    graded_by_length(monkeypatch)
    model = network(tokenizer.vocab_size, context_length=512)
    asked = []
    for which in ("sums:20", "sums:20:0", "sums:20:1"):
        rows = make_own_pairs(tmp_path, model, tokenizer, which, 4, seed=0).read_text().splitlines()
        asked.append({json.loads(line)["prompt"] for line in rows})
    assert asked[0] == asked[1]
    assert not asked[0] & asked[2]


@pytest.mark.parametrize("asked", ["sums", "sums:", "sums:x", "sums:0", ":3", "sums:3:x", "sums:3:1:1"])
def test_what_cannot_be_read_is_refused(asked, tokenizer, tmp_path):
    with pytest.raises(BadInput):
        make_own_pairs(tmp_path, network(tokenizer.vocab_size), tokenizer, asked, 2, seed=0)
