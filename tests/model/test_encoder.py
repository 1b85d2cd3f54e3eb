"""The encoder: every token sees every other of its document, and none of the padding."""

import pytest
import torch

from linnet.model.config import ModelConfig
from linnet.model.encoder import Encoder
from tests.model.two_sided import ENCODERS, made, some_ids

CLOSE = 3e-5
LENGTHS = torch.tensor([9, 4, 1])


@pytest.fixture(params=ENCODERS, scope="module")
def model(request) -> Encoder:
    return made("encoder", **ENCODERS[request.param])


def far(a, b) -> float:
    assert torch.isfinite(a).all()
    return float((a - b).detach().abs().max())


@torch.no_grad()
def test_every_token_moves_the_logits_of_every_place(model):
    ids = some_ids(2, 9)
    logits = model(ids)
    for place in range(9):
        changed = ids.clone()
        changed[:, place] = (changed[:, place] + 1) % 43
        moved = (model(changed) - logits).abs().amax((0, 2))
        assert float(moved.min()) > 1e-3


@torch.no_grad()
def test_padding_on_either_side_and_packing_change_nothing(model):
    ids, order = some_ids(3, 9), torch.arange(9)
    right = model(ids, lengths=LENGTHS)
    marked = model(ids, documents=torch.where(order < LENGTHS[:, None], 0, -1))
    left_ids = torch.stack([row.roll(-int(size)) for row, size in zip(ids, LENGTHS, strict=True)])
    left = model(left_ids, documents=torch.where(order >= 9 - LENGTHS[:, None], 0, -1))
    packed = model(torch.cat((ids[1:2, :4], ids[:1, :5]), 1), documents=torch.tensor([[0] * 4 + [1] * 5]))
    for row, size in enumerate(LENGTHS.tolist()):
        alone = model(ids[row : row + 1, :size])[0]
        assert far(right[row, :size], alone) < CLOSE
        assert far(marked[row, :size], alone) < CLOSE
        assert far(left[row, 9 - size :], alone) < CLOSE
    assert far(packed[0, :4], model(ids[1:2, :4])[0]) < CLOSE
    assert far(packed[0, 4:], model(ids[:1, :5])[0]) < CLOSE
    assert far(model(ids)[1, :4], right[1, :4]) > 1e-3


def test_every_parameter_gets_a_gradient(model):
    segments = torch.arange(9).expand(4, 9) % 2 if model.config.segments else None
    model.zero_grad()
    model(some_ids(4, 9), segments=segments).sin().sum().backward()
    assert [name for name, parameter in model.named_parameters() if not bool(parameter.grad.any())] == []


@torch.no_grad()
def test_segments_are_read_and_learned_positions_end():
    model = made("encoder", **ENCODERS["bert"])
    ids = some_ids(1, 6)
    assert far(model(ids, segments=torch.zeros_like(ids)), model(ids)) == 0
    assert far(model(ids, segments=torch.ones_like(ids)), model(ids)) > 1e-3
    with pytest.raises(ValueError, match="positions end at 32"):
        model(some_ids(1, 33))


@torch.no_grad()
def test_a_head_layer_norms_or_bends():
    words = made("encoder", **ENCODERS["bert"])
    x = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    assert float(words.head_layer(x).abs().max()) > 1
    changed = {"head_layer": "tanh", "tie_embeddings": False, "output_size": 2, "pooling": "first"}
    rows = made("encoder", **{**ENCODERS["bert"], **changed})
    assert float(rows.head_layer(x).abs().max()) <= 1
    assert rows(some_ids(2, 5)).shape == (2, 5, 2)
    assert words.copies() == {"head.weight": "embedding.weight"}
    assert rows.copies() == {}
    assert words.head.weight is words.embedding.weight


def test_a_seed_means_the_same():
    config = ModelConfig(kind="encoder", **ENCODERS["ours"])
    first, again = (Encoder(config, torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
