"""A row's vector is the mean of its real tokens' last states at length 1, whatever is padded behind."""

import pytest
import torch

from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.network import build
from linnet.model.row_vectors import row_vectors

SMALL = ModelConfig(vocab_size=11, context_length=16, num_layers=2, hidden_size=16, num_heads=2)


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_the_mean_of_the_real_states_whatever_is_padded(kind):
    model = build(SMALL.but(kind=kind), torch.Generator().manual_seed(0)).eval()
    ids, lengths = torch.tensor([[1, 2, 3, 9, 9], [4, 5, 6, 7, 8]]), torch.tensor([3, 5])
    found = row_vectors(model, ids, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = ids[row : row + 1, :length]
        states = model.states(alone) if isinstance(model, Decoder) else model.both_ways(alone)
        mean = states[0].mean(0)
        torch.testing.assert_close(found[row], mean / mean.norm(), atol=1e-6, rtol=1e-5)
    other = torch.where(torch.arange(5)[None] < lengths[:, None], ids, 0)
    torch.testing.assert_close(row_vectors(model, other, lengths), found, atol=1e-6, rtol=1e-5)
