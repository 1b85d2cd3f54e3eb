"""The cursor: each item once an epoch, batches over the end of epochs, positions checked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.batches.cursor import Cursor
from linnet.core.errors import BadInput


def drawn(cursor, batches):
    return [
        (epoch, item) for number in range(batches) for epoch, items in cursor.items(number) for item in items.tolist()
    ]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 30), st.integers(1, 20), st.integers(0, 2**40))
def test_each_item_once_an_epoch_in_batches_of_one_size(size, batch_size, seed):
    cursor = Cursor(size, batch_size, seed, {})
    found = drawn(cursor, 4)
    assert len(found) == 4 * batch_size
    assert found == drawn(Cursor(size, 1, seed, {}), 4 * batch_size)
    for epoch in range(len(found) // size):
        part = found[epoch * size : (epoch + 1) * size]
        assert {number for number, _ in part} == {epoch}
        assert sorted(item for _, item in part) == list(range(size))


def test_batches_can_be_asked_for_in_any_order():
    cursor = Cursor(10, 3, 0, {})
    later = [items.tolist() for _, items in cursor.items(1000)]
    list(cursor.items(0))
    assert [items.tolist() for _, items in cursor.items(1000)] == later
    assert np.concatenate(later).shape == (3,)


@pytest.mark.parametrize("wrong", [-1, "3", None, 1.5])
def test_a_broken_position_is_refused(wrong):
    cursor = Cursor(10, 3, 0, {"data": "a"})
    with pytest.raises(BadInput, match="batches were drawn"):
        cursor.restore({**cursor.state(), "drawn": wrong})
    with pytest.raises(BadInput, match="data was b, is a now"):
        cursor.restore({**cursor.state(), "data": "b"})
