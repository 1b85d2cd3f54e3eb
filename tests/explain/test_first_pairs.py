"""What is told of DPO: pairs that are read are those of the recipe, of its own replies some stand for all."""

import pytest
import torch

from linnet.artifacts import load_model
from linnet.core.errors import NothingToLearn
from linnet.explain import writing
from linnet.explain.first_pairs import preferring
from linnet.explain.first_step import Elsewhere
from linnet.infer.own_pairs import make_own_pairs
from linnet.train.config import DPOConfig
from linnet.train.pairing import read_pair_sets, read_pairs
from tests.explain.chats import ON_A_CPU, easy, start  # noqa: F401
from tests.explain.plans import NOTHING_ELSE
from tests.recipes.chat_parents import pairs

COMMON = {"batch_size": 4, "steps": 3, "replies": 32, "pairs_from": "facts:24:1", "pairs": "none"}


def choices(start, **more):  # noqa: F811
    return DPOConfig.build({**COMMON, "parent": start, **more}, "test")


def counts(begun):
    return len(begun.state.batches.items), begun.measuring.last


def test_pairs_that_are_read_are_those_of_the_recipe(start, tmp_path):  # noqa: F811
    cfg = choices(start, pairs=str(pairs(tmp_path / "pairs.jsonl")), pairs_from="")
    seen = []
    begun = preferring(cfg, ON_A_CPU, Elsewhere(lambda *_: None, lambda *all: seen.append(all), lambda *_: None))
    model, tokenizer = load_model(start)
    train, held_out = read_pair_sets(cfg, {cfg.pairs: "train"}, tokenizer, model.config)
    assert begun.state.batches.items == train.items
    assert begun.measuring.before == 12 + len(held_out.items)  # those of three steps, and what is measured on
    assert [one.name for one in begun.chores] == ["replies", "samples"]
    assert all(one.take() > 0 for one in begun.chores)
    assert [asked for *_, asked in seen] == [len(held_out.items), min(8, len(held_out.items))]
    assert torch.isfinite(begun.objective(begun.state.model, begun.rows(3)).total)


def test_own_pairs_are_as_many_as_the_replies_promise(start, easy, tmp_path, monkeypatch):  # noqa: F811
    cfg = choices(start)
    model, tokenizer = load_model(start)
    made = make_own_pairs(tmp_path, model, tokenizer, cfg.pairs_from, 32, 0)
    every = len(list(read_pairs(made)))
    whole = preferring(cfg, ON_A_CPU, NOTHING_ELSE)
    assert sum(counts(whole)) == every
    assert whole.chores[-1].times == (1, 0, 0, 0)
    assert whole.chores[-1].take() > 0
    monkeypatch.setattr(writing, "PATIENCE", 0.0)
    part = preferring(cfg, ON_A_CPU, NOTHING_ELSE)  # 128 replies, so 4 of the 24 questions
    assert part.chores[-1].times == (6, 0, 0, 0)
    assert sum(counts(part)) == pytest.approx(every, rel=0.35)
    both = preferring(cfg.but(pairs=str(pairs(tmp_path / "pairs.jsonl"))), ON_A_CPU, NOTHING_ELSE)
    assert sum(counts(both)) == sum(counts(part)) + 60


def test_where_no_reply_is_right_the_other_pairs_are_left(start, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(writing, "PATIENCE", 0.0)
    with pytest.raises(NothingToLearn, match="4 questions gave no pair"):
        preferring(choices(start), ON_A_CPU, NOTHING_ELSE)
    both = preferring(choices(start, pairs=str(pairs(tmp_path / "pairs.jsonl"))), ON_A_CPU, NOTHING_ELSE)
    assert sum(counts(both)) == 60
    assert both.chores[-1].times == (6, 0, 0, 0)
