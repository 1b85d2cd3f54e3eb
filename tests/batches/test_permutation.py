"""The shuffle is a permutation for every size, and looks like one drawn at random."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.batches.permutation import Permutation


@settings(deadline=None)
@given(st.integers(1, 3000), st.integers(0, 2**63), st.integers(0, 1000))
def test_every_item_comes_exactly_once(size, seed, epoch):
    places = Permutation(size, seed, epoch)(np.arange(size))
    assert np.array_equal(np.sort(places), np.arange(size))


def test_any_part_equals_the_whole():
    permutation = Permutation(10_007, seed=1)
    whole = permutation(np.arange(10_007))
    some = np.array([5, 10_006, 17, 0])
    assert np.array_equal(permutation(some), whole[some])


def test_large_domains_stay_inside_and_apart():
    size = 10**15 + 37
    places = Permutation(size, seed=2)(np.arange(size - 5000, size))
    assert places.min() >= 0
    assert places.max() < size
    assert len(np.unique(places)) == 5000


def test_all_orders_of_four_items_are_about_equally_frequent():
    counts = dict.fromkeys(itertools.permutations(range(4)), 0)
    trials = 2400
    for seed in range(trials):
        counts[tuple(Permutation(4, seed)(np.arange(4)).tolist())] += 1
    expected = trials / 24
    chi_square = sum((count - expected) ** 2 / expected for count in counts.values())
    assert chi_square < 58  # 23 degrees of freedom: a true shuffle is above once in 10,000 tries


def test_neighbours_are_torn_apart_and_epochs_differ():
    size = 4096
    first, second = (Permutation(size, seed=3, epoch=epoch)(np.arange(size)) for epoch in (0, 1))
    steps = np.abs(np.diff(first))
    assert abs(steps.mean() / (size / 3) - 1) < 0.05  # two random places are a third apart on average
    assert (first == second).mean() < 0.005
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.06


@pytest.mark.parametrize("size", [0, -1, 2**63])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(ValueError, match="1 to 2"):
        Permutation(size, seed=0)
