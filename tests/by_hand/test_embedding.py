"""The embedding: rows by id, and gradients that add up where an id comes twice."""

import numpy as np
import pytest

from linnet.by_hand.embedding import embedding


def test_an_id_that_comes_twice_gets_both_gradients():
    table = np.arange(8.0).reshape(4, 2)
    y, back = embedding(np.array([[2, 0, 2]]), table)
    assert y.tolist() == [[[4.0, 5.0], [0.0, 1.0], [4.0, 5.0]]]
    dtable = back(np.array([[[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]]]))
    assert dtable.tolist() == [[10.0, 20.0], [0.0, 0.0], [101.0, 202.0], [0.0, 0.0]]


@pytest.mark.parametrize("wrong", [4, -1])
def test_an_id_outside_the_table_is_named(wrong):
    with pytest.raises(ValueError, match=f"{wrong}.* and the table has 4 rows"):
        embedding(np.array([1, wrong]), np.zeros((4, 2)))


def test_no_ids_are_no_rows():
    y, back = embedding(np.zeros((0,), dtype=int), np.ones((4, 2)))
    assert y.shape == (0, 2)
    assert np.abs(back(y)).max() == 0
