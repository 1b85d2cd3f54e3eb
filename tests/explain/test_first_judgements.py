"""What is told of a verifier from its first answers: how many there will be, and what is done with them."""

import pytest
import torch

from linnet.artifacts import load_model
from linnet.batches.judged import encode
from linnet.core.errors import NothingToLearn
from linnet.explain import first_judgements, writing
from linnet.explain.first_judgements import judging
from linnet.explain.first_step import Elsewhere, rows_in
from linnet.infer.config import SamplingConfig
from linnet.infer.judged_answers import make_judged_answers, read_judged, write_judged
from linnet.tasks import find
from linnet.train.config import VerifierConfig
from tests.explain.chats import ON_A_CPU, easy, start  # noqa: F401
from tests.explain.plans import NOTHING_ELSE
from tests.recipes.chat_parents import sums

COMMON = {"batch_size": 4, "steps": 3, "answers": 4, "problems": 24}


@pytest.fixture
def choices(start, tmp_path):  # noqa: F811
    source = str(sums(tmp_path / "sums.jsonl"))
    return VerifierConfig.build({**COMMON, "parent": start, "source": source, "out": tmp_path / "run"}, "test")


def all_answers(cfg, folder):
    """Return the answers that the run itself would write, as they were judged, and how many of them fit."""
    model, tokenizer = load_model(cfg.parent)
    task = find("sums")
    sampling = SamplingConfig(temperature=1.0, max_tokens=task.max_tokens, seed=0)
    path = make_judged_answers(folder, model, tokenizer, task, cfg.source, "train", cfg.problems, 4, sampling)
    return read_judged(path), len(encode(read_judged(path), tokenizer, model.config)[0])


def test_what_was_seen_whole_is_counted_whole(choices, easy, tmp_path):  # noqa: F811
    cfg = choices.but(balance=False)
    judged, fit = all_answers(cfg, tmp_path)
    begun = judging(cfg, ON_A_CPU, NOTHING_ELSE)
    train, times = begun.measuring.before, {one.name: one.times for one in begun.chores}
    assert train == pytest.approx(0.8 * fit, abs=1)
    assert times["answers"] == (1, 0, 0, 0)
    assert times["encoding"] == (pytest.approx(fit, abs=1), 0, 0, 0)
    assert times["judging"] == (0, 0, 0, 1)
    assert times["held-out answers"] == (0, 0, 1, 0)
    assert begun.chores[2].take() > 0
    balanced = judging(choices, ON_A_CPU, NOTHING_ELSE)
    right = sum(one.right for one in judged) / len(judged)
    assert balanced.measuring.before == pytest.approx(0.8 * fit * 2 * min(right, 1 - right), rel=0.05)


def test_where_none_is_right_the_others_still_show_how_long_answers_are(choices, tmp_path):
    judged, fit = all_answers(choices, tmp_path)
    assert not any(one.right for one in judged)
    begun = judging(choices, ON_A_CPU, NOTHING_ELSE)
    assert len(begun.state.batches.rows) == fit
    assert begun.measuring.before == 0


def test_of_a_part_the_whole_is_told(choices, monkeypatch, tmp_path):
    monkeypatch.setattr(writing, "PATIENCE", 0.0)
    monkeypatch.setattr(first_judgements, "AT_ONCE", 32)
    cfg = choices.but(balance=False)
    begun = judging(cfg, ON_A_CPU, NOTHING_ELSE)
    assert {one.name: one.times for one in begun.chores}["answers"] == (3, 0, 0, 0)  # of 24 problems 8 were asked
    _, fit = all_answers(cfg, tmp_path)
    assert begun.measuring.before == len(begun.state.batches.rows) == pytest.approx(0.8 * fit, rel=0.3)
    assert begun.spent >= begun.chores[0].take() > 0


def test_all_that_a_run_does_at_its_end_is_done(choices):
    seen = []
    begun = judging(choices, ON_A_CPU, Elsewhere(lambda *_: None, lambda *_: None, lambda *all: seen.append(all)))
    assert torch.isfinite(begun.objective(begun.state.model, begun.rows(3)).total)
    assert rows_in(begun.rows(5)) == 5
    assert begun.chores[-1].take() > 0
    learn, judged, scores, *_ = seen[0]
    assert len(judged) == len(scores) > 1
    assert {one.right for one in judged} == {one.right for one in learn} == {True, False}


def test_answers_that_are_given_are_not_written(choices, easy, tmp_path):  # noqa: F811
    judged, _ = all_answers(choices, tmp_path)
    write_judged(tmp_path / "given.jsonl", judged)
    begun = judging(choices.but(candidates=tmp_path / "given.jsonl"), ON_A_CPU, NOTHING_ELSE)
    assert begun.chores[0].take() == begun.writing.row == 0
    write_judged(tmp_path / "one.jsonl", [one for one in judged if one.right])
    with pytest.raises(NothingToLearn):
        judging(choices.but(candidates=tmp_path / "one.jsonl"), ON_A_CPU, NOTHING_ELSE)
