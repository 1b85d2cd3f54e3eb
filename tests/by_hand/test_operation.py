"""Broadcasting backwards: what was copied comes back as a sum."""

import numpy as np
import pytest

from linnet.by_hand.operation import identity, sum_to


@pytest.mark.parametrize("shape", [(), (1,), (4,), (3, 1), (1, 4), (2, 3, 4), (2, 1, 1), (1, 1, 4), (1, 3, 4)])
def test_the_gradient_of_a_broadcast_array_is_the_sum_over_its_copies(shape):
    rng = np.random.default_rng(0)
    dy, x = rng.normal(size=(2, 3, 4)), rng.normal(size=shape)
    found = sum_to(dy, shape)
    assert found.shape == shape
    for place in np.ndindex(*shape):
        one = np.zeros(shape)
        one[place] = 1.0
        assert found[place] == pytest.approx((dy * np.broadcast_to(one, dy.shape)).sum())
    assert (found * x).sum() == pytest.approx((dy * np.broadcast_to(x, dy.shape)).sum())


def test_identity_passes_both_ways():
    x, dy = np.ones(3), np.arange(3.0)
    y, back = identity(x)
    assert y is x
    assert back(dy) is dy
