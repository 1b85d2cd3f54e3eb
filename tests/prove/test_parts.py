"""The parts of a life around the network."""

import pytest
import torch

from linnet.prove.parts import Rows, Training


def test_rows_must_have_one_shape():
    ids = torch.zeros(2, 3, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"ids \[2, 3\] and learned \[2, 2\]"):
        Rows(ids, torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"must both be \[B, T\]"):
        Rows(ids[0], torch.ones(3, dtype=torch.bool))


def test_every_part_of_a_training_may_lack():
    assert Training().run is None
    assert Training().gradients is None
