"""Positions: sinusoids are linnet's, rotary scores depend on distance only, the layout is the half-split one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import linnet.model.positions as trained
from linnet.by_hand.positions import learned_positions, rotary_angles, rotate, sinusoids


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=5), st.integers(1, 8), st.sampled_from([100.0, 1e4, 1e6]))
def test_sinusoids_and_angles_are_those_of_the_network(places, half, theta):
    at = np.array([places])
    theirs = trained.sinusoids(torch.tensor(at), 2 * half, torch.float64)
    np.testing.assert_allclose(sinusoids(at, 2 * half), theirs.numpy(), atol=1e-9)
    angles = trained.rotary_angles(torch.tensor(at), 2 * half, theta, torch.float64)
    for ours, other in zip(rotary_angles(at, 2 * half, theta), angles, strict=True):
        np.testing.assert_allclose(ours, other[:, 0].numpy(), atol=1e-9)


def test_sinusoids_by_the_formula():
    (first, second), _ = sinusoids(np.array([[1, 2], [0, 0]]), 4)
    np.testing.assert_allclose(first, [np.sin(1), np.cos(1), np.sin(0.01), np.cos(0.01)])
    np.testing.assert_allclose(second, [np.sin(2), np.cos(2), np.sin(0.02), np.cos(0.02)])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_the_score_of_two_turned_vectors_depends_on_their_distance_only(query_at, key_at, shift):
    rng = np.random.default_rng(0)
    q, k = rng.normal(size=(2, 1, 6))

    def score(moved: int) -> float:
        turned = [rotate(x, *rotary_angles(np.array([at + moved]), 6))[0] for x, at in ((q, query_at), (k, key_at))]
        return float((turned[0] * turned[1]).sum())

    assert score(shift) == pytest.approx(score(0), abs=1e-9)


def test_a_quarter_turn_pairs_each_number_with_the_one_half_a_head_further():
    x = np.array([[1.0, 2.0, 3.0, 4.0]])
    y, back = rotate(x, np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]]))  # the first pair by 90 degrees
    assert y.tolist() == [[-3.0, 2.0, 1.0, 4.0]]
    assert back(y).tolist() == x.tolist()


def test_learned_positions_are_a_table():
    y, back = learned_positions(np.array([1, 0, 1]), np.array([[1.0], [2.0], [3.0]]))
    assert y.tolist() == [[2.0], [1.0], [2.0]]
    assert back(np.ones((3, 1))).tolist() == [[1.0], [2.0], [0.0]]


def test_an_odd_size_is_refused():
    for function in (sinusoids, rotary_angles):
        with pytest.raises(ValueError, match="5 is odd"):
            function(np.arange(3), 5)
