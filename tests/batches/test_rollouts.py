"""Rollouts as a batch: lengths, groups with a signal, and moving to a device."""

import pytest
import torch

from linnet.batches.padding import pad
from linnet.batches.rollouts import RolloutBatch, group_advantages


def batch(rewards):
    rows = [([1, 2, *[3] * n], [False, False, *[True] * n]) for n in (1, 4, 2, 3)]
    rewards = torch.tensor(rewards)
    return RolloutBatch(pad(rows, 0), rewards, group_advantages(rewards, 2, False), 2, torch.tensor([True] * 4))


def test_lengths_are_of_what_was_sampled():
    assert batch([1.0, 0.0, 0.0, 0.0]).lengths.tolist() == [1, 4, 2, 3]


@pytest.mark.parametrize(
    ("rewards", "share"), [([1.0, 0.0, 0.0, 0.0], 0.5), ([1.0, 1.0, 0.0, 0.0], 0.0), ([0.0, 1.0, 0.5, 0.0], 1.0)]
)
def test_groups_of_equal_rewards_have_no_signal(rewards, share):
    one = batch(rewards)
    assert float(one.with_signal) == share
    assert float((one.advantages.view(2, 2) != 0).any(1).float().mean()) == share


def test_advantages_of_a_group_sum_to_nothing_and_know_no_other_group():
    first = group_advantages(torch.tensor([3.0, 1.0, 0.0, 8.0]), 2, scaled=False)
    other = group_advantages(torch.tensor([3.0, 1.0, 5.0, -8.0]), 2, scaled=False)
    assert first.view(2, 2).sum(1).tolist() == [0, 0]
    assert torch.equal(first[:2], other[:2])


def test_moving_keeps_what_is_not_there():
    moved = batch([1.0, 0.0, 0.0, 0.0]).to("cpu")
    assert moved.old is None
    assert moved.rewards.tolist() == [1, 0, 0, 0]
