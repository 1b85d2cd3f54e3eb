"""Trainings that end elsewhere when they are run again, or killed and resumed."""

import pytest
import torch

from linnet.prove.resuming import (
    resume_equals_uninterrupted,
    resume_neither_replays_nor_skips,
    training_is_deterministic,
)
from tests.prove.subjects import judge, subject
from tests.prove.toys import run, training

EVERY = (training_is_deterministic, resume_equals_uninterrupted, resume_neither_replays_nor_skips)
WRONG = {"random": 0, "forgets the optimizer": 1, "forgets the dice": 1, "replays": 2, "skips": 2}
SAID = {"replays": "number 1 of the uninterrupted run, again", "skips": "number 3 of the uninterrupted run, too soon"}


def test_a_right_one_holds():
    one = training()
    assert [judge(invariant, one).status for invariant in EVERY] == ["held"] * 3
    assert [judge(invariant, subject()).status for invariant in EVERY] == ["not applicable"] * 3


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_one_is_seen(wrong):
    found = judge(EVERY[WRONG[wrong]], training(wrong))
    assert found.status == "broken"
    assert SAID.get(wrong, "") in found.evidence


def test_lost_data_is_not_taken_for_lost_weights():
    assert judge(resume_neither_replays_nor_skips, training("forgets the optimizer")).status == "held"


def test_batches_that_are_all_alike_can_tell_nothing():
    def same(steps, killed):
        trace = run(steps, killed)
        return type(trace)(trace.weights, [torch.zeros(2, 2)] * steps, trace.rates)

    assert "all alike" in judge(resume_neither_replays_nor_skips, training(run=same)).evidence
