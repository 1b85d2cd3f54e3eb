"""Linnet's own training on a tiny network: what is proved is the real loop, and it can be broken."""

from pathlib import Path

import pytest
import torch

from linnet.prove.ours_training import TOTAL, tiny, training_of
from linnet.prove.resuming import resume_equals_uninterrupted, resume_neither_replays_nor_skips
from linnet.prove.subject import Subject
from linnet.prove.training import (
    accumulation_at_any_split,
    clipping_bounds_the_true_gradient,
    every_trainable_weight_moves,
    schedule_counts_optimizer_steps,
)
from linnet.train import loop, state
from linnet.train.config import TrainingConfig
from linnet.train.precision import Precision
from tests.model.variants import VARIANTS
from tests.prove.subjects import decoder, judge


def proved(name: str = "ours") -> Subject:
    config = decoder(name).config
    model = torch.nn.Linear(1, 1)
    return Subject(name, model, config.vocab_size, model, training=training_of(config, TrainingConfig(out=Path("x"))))


@pytest.mark.parametrize("name", VARIANTS)
def test_a_tiny_network_is_of_the_same_kind(name):
    config = decoder(name).config
    small = tiny(config)
    kept = ("vocab_size", "positions", "norm", "activation", "qk_norm", "tie_embeddings", "value_embedding_every")
    assert [getattr(small, field) for field in kept] == [getattr(config, field) for field in kept]
    assert (small.window is None, small.num_experts == 0) == (config.window is None, config.num_experts == 0)
    assert (small.kv_heads < small.num_heads) == (config.kv_heads < config.num_heads)
    assert small.dropout > 0


def test_a_trace_is_a_training():
    run = training_of(decoder("ours").config, TrainingConfig(out=Path("x"))).run
    none, whole = run(0, None), run(TOTAL, None)
    assert none.batches == none.rates == []
    assert len(whole.batches) == len(whole.rates) == TOTAL
    assert not torch.equal(none.weights["embedding.weight"], whole.weights["embedding.weight"])


def test_an_accumulation_that_forgets_to_correct_is_seen(monkeypatch):
    monkeypatch.setattr(loop.torch, "_foreach_mul_", lambda gradients, correction: None)
    assert judge(accumulation_at_any_split, proved()).status == "broken"


def test_clipping_before_unscaling_is_seen(monkeypatch):
    def unscale_never(self, optimizer):
        pass

    monkeypatch.setattr(Precision, "unscale", unscale_never)
    assert judge(clipping_bounds_the_true_gradient, proved()).status == "broken"


def test_a_schedule_that_is_stepped_twice_is_seen(monkeypatch):
    real = loop.TrainState.__init__

    def later(self, *arguments):
        real(self, *arguments)
        set_lr = self.optimizer.set_lr
        self.optimizer.set_lr = lambda factor: set_lr(factor**2)

    monkeypatch.setattr(loop.TrainState, "__init__", later)
    assert judge(schedule_counts_optimizer_steps, proved()).status == "broken"


@pytest.mark.slow
def test_a_state_that_loses_the_dice_or_the_data_is_seen(monkeypatch):
    real = state.TrainState.restore

    def without_dice(self, folder):
        dice = torch.get_rng_state()
        real(self, folder)
        torch.set_rng_state(dice)

    monkeypatch.setattr(state.TrainState, "restore", without_dice)
    assert judge(resume_equals_uninterrupted, proved()).status == "broken"
    assert judge(resume_neither_replays_nor_skips, proved()).status == "held"

    def from_the_beginning(self, folder):
        real(self, folder)
        self.batches.restore({**self.batches.state(), "drawn": 0})

    monkeypatch.setattr(state.TrainState, "restore", from_the_beginning)
    assert judge(resume_neither_replays_nor_skips, proved()).status == "broken"


def test_a_weight_that_no_optimizer_knows_is_seen(monkeypatch):
    from linnet.prove import ours_training

    real = ours_training.make_optimizer

    def forgetful(model, config):
        optimizer = real(model, config)
        model.norm.register_parameter("late", torch.nn.Parameter(torch.ones(3)))
        return optimizer

    monkeypatch.setattr(ours_training, "make_optimizer", forgetful)
    found = judge(every_trainable_weight_moves, proved())
    assert found.status == "broken"
    assert "norm.late" in found.evidence
