"""Dice: sizes in range, all choices possible, the same throws from the same seed."""

from random import Random

import numpy as np

from linnet.by_hand.dice import Dice


def test_sizes_and_choices_stay_in_range_and_reach_its_ends():
    dice = Dice(Random(0))
    assert {dice.size(2, 4) for _ in range(99)} == {2, 3, 4}
    assert set(dice.sizes(99)) == {1, 2, 3, 4, 5, 6}
    assert {dice.any_of("a", None) for _ in range(99)} == {"a", None}
    assert set(dice.ids(3, 99).tolist()) == {0, 1, 2}


def test_one_seed_gives_one_throw():
    throws = [Dice(Random(seed)).normal(2, 3) for seed in (1, 1, 2)]
    assert throws[0].shape == (2, 3)
    np.testing.assert_array_equal(throws[0], throws[1])
    assert not np.array_equal(throws[0], throws[2])


def test_weights_keep_the_size_of_what_they_multiply():
    x = Dice(Random(0)).normal(400)
    y = Dice(Random(1)).weights(300, 400) @ x
    assert 0.85 < y.std() / x.std() < 1.15
