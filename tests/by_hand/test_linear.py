"""The linear layer by an example small enough for paper, and its dictionary form."""

import numpy as np
import pytest

from linnet.by_hand.linear import linear, project


def test_by_paper():
    x, w, b = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([0.5, -0.5])
    y, back = linear(x, w, b)
    assert y.tolist() == [[11.5, 16.5]]
    dx, dw, db = back(np.array([[1.0, 10.0]]))
    assert dx.tolist() == [[53.0, 64.0]]
    assert dw.tolist() == [[1.0, 2.0], [10.0, 20.0]]
    assert db.tolist() == [1.0, 10.0]


def test_a_layer_of_a_dictionary_gives_back_its_own_keys():
    params = {"wq": np.eye(2), "bq": np.ones(2), "wo": np.full((1, 2), 2.0), "bk": np.ones(2)}
    x = np.array([[1.0, 2.0]])
    y, back = project(x, params, "q")
    assert y.tolist() == [[2.0, 3.0]]
    _dx, dparams = back(np.ones((1, 2)))
    assert dparams.keys() == {"wq", "bq"}
    y, back = project(x, params, "o")
    assert y.tolist() == [[6.0]]
    assert back(np.ones((1, 1)))[1].keys() == {"wo"}


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"x has 3 numbers a row and w of shape \(2, 4\) takes 4"):
        linear(np.ones((1, 3)), np.ones((2, 4)))
