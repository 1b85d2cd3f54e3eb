"""Reciprocal rank fusion against a table made by hand."""

import pytest

from linnet.retrieve.fusion import fused


def test_two_rankings_by_hand():
    found = fused([[7, 3, 5], [3, 9]])
    assert [item for item, _ in found] == [3, 7, 9, 5]
    assert dict(found) == pytest.approx({3: 1 / 62 + 1 / 61, 7: 1 / 61, 9: 1 / 62, 5: 1 / 63})


def test_of_equal_scores_the_smaller_item_is_first():
    assert [item for item, _ in fused([[8, 2], [2, 8]])] == [2, 8]


def test_k_says_how_much_first_places_count():
    few = fused([[1, 2], [3, 2], [4, 2]], k=0)
    many = fused([[1, 2], [3, 2], [4, 2]], k=60)
    assert few[0] == (2, 1.5)
    assert many[0][0] == 2
    assert many[1][1] / many[0][1] < few[1][1] / few[0][1]


def test_nothing_gives_nothing():
    assert fused([]) == fused([[], []]) == []


def test_a_weight_is_how_much_a_ranking_counts():
    assert fused([[1, 2], [2, 1]], weights=(1.0, 0.5)) == [
        (1, pytest.approx(1 / 61 + 0.5 / 62)), (2, pytest.approx(1 / 62 + 0.5 / 61))
    ]  # fmt: skip
    assert [item for item, _ in fused([[1, 2], [3, 2]], weights=(1.0, 0.0))] == [1, 2, 3]
