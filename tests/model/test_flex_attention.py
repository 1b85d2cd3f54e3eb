"""The GPU kernel's masks and results, run uncompiled on a CPU as a reference, equal the plain attention."""

import pytest
import torch

from linnet.model import flex_attention as flex
from linnet.model.attend import attend, attend_plain, visible
from linnet.model.decoder import Decoder
from tests.model.variants import VARIANTS, build, random_ids

# On a CPU it runs uncompiled, on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")

TOKENS = 150  # more than one block of 128
DOCUMENTS = torch.tensor([[0] * 60 + [1] * 50 + [2] * 40, [0] * 140 + [-1] * 10])
SINKS = torch.zeros(2, TOKENS, dtype=torch.bool).index_fill_(1, torch.tensor([0, 1, 60]), True)

CASES = {
    "causal": {},
    "window": {"window": 20},
    "window, sinks": {"window": 20, "sinks": SINKS},
    "window, sinks of one row for all": {"window": 20, "sinks": SINKS[:1]},
    "documents": {"documents": DOCUMENTS},
    "documents, window, sinks": {"documents": DOCUMENTS, "window": 7, "sinks": SINKS},
}


def masks(case: dict, device: str):
    case = {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in case.items()}
    order, documents = torch.arange(TOKENS, device=device)[None], case.get("documents")
    dense = visible(order, order, documents, documents, case.get("window"), case.get("sinks"))
    return dense, flex.block_mask(torch.zeros(2, TOKENS, dtype=torch.int64, device=device), **case)


@pytest.mark.slow
@pytest.mark.parametrize("kv_heads", [2, 4])
@pytest.mark.parametrize("name", CASES)
def test_equal_to_plain_attention(name, kv_heads):
    dense, blocks = masks(CASES[name], "cpu")
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, heads, TOKENS, 16, generator=generator) for heads in (4, kv_heads, kv_heads))
    torch.testing.assert_close(attend(q, k, v, mask=blocks), attend_plain(q, k, v, dense), rtol=1e-5, atol=1e-5)


def test_blocks_that_nobody_sees_are_left_out():
    blocks = flex.block_mask(torch.zeros(1, 1024, dtype=torch.int64), window=128)
    assert blocks.sparsity() > 70  # per cent; a full causal mask of 8 x 8 blocks has 44


@pytest.mark.slow
@pytest.mark.parametrize("name", ["window_sinks", "global_every"])
@torch.no_grad()
def test_a_whole_network_says_the_same(name, monkeypatch):
    model: Decoder = build(**VARIANTS[name])
    ids = random_ids(2, 40)
    documents = torch.tensor([0] * 15 + [1] * 25).expand(2, -1)
    dense = model(ids), model(ids, documents=documents)
    used = []
    monkeypatch.setattr(flex, "pays", lambda ids: True)
    monkeypatch.setattr("linnet.model.decoder.pays", lambda ids: True)
    real = flex.attention
    monkeypatch.setattr(flex, "attention", lambda *args: used.append(1) or real(*args))
    for expected, logits in zip(dense, (model(ids), model(ids, documents=documents)), strict=True):
        torch.testing.assert_close(logits, expected, rtol=0, atol=3e-5)
    assert used


def test_it_is_for_long_rows_on_a_gpu_only():
    assert not flex.pays(torch.zeros(1, 4096, dtype=torch.int64))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="compiled FlexAttention needs a CUDA GPU")
@pytest.mark.parametrize("name", CASES)
def test_on_a_gpu_forward_and_gradients_equal_plain_attention(name):
    dense, blocks = masks(CASES[name], "cuda")
    inputs = [torch.randn(2, heads, TOKENS, 32, device="cuda", requires_grad=True) for heads in (4, 2, 2)]
    out, expected = attend(*inputs, mask=blocks), attend_plain(*inputs, dense)
    torch.testing.assert_close(out, expected, rtol=1e-3, atol=1e-3)
    toward = torch.randn_like(out)
    for grad, other in zip(
        torch.autograd.grad(out, inputs, toward), torch.autograd.grad(expected, inputs, toward), strict=True
    ):
        torch.testing.assert_close(grad, other, rtol=2e-3, atol=2e-3)
