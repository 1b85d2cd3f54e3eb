"""The batch refuses parts of different shapes and counts what is learned."""

import pytest
import torch

from linnet.batches.batch import IGNORE, Batch


def test_learned_counts_targets_that_are_not_ignored():
    batch = Batch(torch.zeros(1, 3, dtype=torch.int64), torch.tensor([[5, IGNORE, 0]]))
    assert batch.learned == 2


def test_parts_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"targets has shape \(1, 2\), ids \(1, 3\)"):
        Batch(torch.zeros(1, 3, dtype=torch.int64), torch.zeros(1, 2, dtype=torch.int64))


def test_moving_keeps_what_is_absent_absent():
    ids = torch.arange(4).reshape(2, 2)
    moved = Batch(ids, ids, positions=ids).to("meta")
    assert moved.ids.device.type == moved.positions.device.type == "meta"
    assert moved.documents is None


def test_rows_are_cut_from_every_part():
    ids = torch.arange(6).reshape(3, 2)
    batch = Batch(ids, ids + 1, positions=ids + 2)
    first = batch.rows(slice(1))
    assert [first.ids.tolist(), first.targets.tolist()] == [[[0, 1]], [[1, 2]]]
    assert batch.rows(slice(1, 3)).positions.tolist() == [[4, 5], [6, 7]]
    assert batch.rows(slice(9)).ids.shape == (3, 2)
    assert first.documents is None
