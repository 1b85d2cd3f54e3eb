"""A training step: means of means, false clipping, rates of other steps, weights that do not move or should not."""

from dataclasses import replace

import pytest
import torch

from linnet.prove.training import (
    accumulation_at_any_split,
    clipping_bounds_the_true_gradient,
    every_trainable_weight_moves,
    schedule_counts_optimizer_steps,
)
from tests.prove.subjects import judge, subject
from tests.prove.toys import training

EVERY = (
    accumulation_at_any_split,
    clipping_bounds_the_true_gradient,
    schedule_counts_optimizer_steps,
    every_trainable_weight_moves,
)
WRONG = {
    "mean of means": 0,
    "not cleared": 0,
    "clipped before unscaling": 1,
    "not clipped": 1,
    "twice the bound": 1,
    "stepped twice": 2,
    "steps by batch": 2,
    "constant": 2,
    "frozen by mistake": 3,
}


def test_a_right_one_holds():
    one = training()
    assert [judge(invariant, one).status for invariant in EVERY] == ["held"] * 4
    assert [judge(invariant, subject()).status for invariant in EVERY] == ["not applicable"] * 4
    assert judge(accumulation_at_any_split, replace(one, depends_on_batch="seats")).evidence == "seats"


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_one_is_seen(wrong):
    found = [judge(invariant, training(wrong)).status for invariant in EVERY]
    assert found[WRONG[wrong]] == "broken"
    assert found.count("broken") == (2 if wrong == "not cleared" else 1)


def test_the_evidence_says_where():
    assert "step 2 of 6 has rate 0.1667, the schedule says 0.25" in judge(EVERY[2], training("stepped twice")).evidence
    assert "2.bias" in judge(EVERY[3], training("frozen by mistake")).evidence
    assert "of the same batch once more" in judge(EVERY[0], training("not cleared")).evidence


def test_a_flat_schedule_or_none_can_tell_nothing():
    assert "flat" in judge(schedule_counts_optimizer_steps, training(schedule=lambda step: 0.5)).evidence
    assert judge(schedule_counts_optimizer_steps, training(schedule=None)).status == "not applicable"


def test_frozen_weights_must_stay():
    frozen = ("2.bias",)
    assert judge(every_trainable_weight_moves, training("frozen by mistake", frozen=frozen)).status == "held"
    found = judge(every_trainable_weight_moves, training("moves the frozen", frozen=("0.weight",)))
    assert found.status == "broken"
    assert "0.weight" in found.evidence


def test_a_gradient_of_nothing_is_broken():
    zero = training(gradients=lambda batches, clip: {"x": torch.zeros(3)})
    assert judge(accumulation_at_any_split, zero).status == "broken"
