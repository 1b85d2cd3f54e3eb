"""The CPU training kernel: forward and gradients equal the plain attention's, and pass finite differences."""

import pytest
import torch

from linnet.model import blocked_attention as blocked
from linnet.model.attend import attend_plain, row_mask

LONG = 300  # three blocks of queries, the last one cut short


def draw(tokens, dtype=torch.float64, heads=2):
    generator = torch.Generator().manual_seed(tokens)
    return [torch.randn(2, heads, tokens, 8, generator=generator, dtype=dtype).requires_grad_() for _ in range(4)]


def cases(tokens):
    ids = torch.zeros(2, tokens, dtype=torch.int64)
    documents = torch.stack((torch.arange(tokens) // 100, (torch.arange(tokens) > 5).long()))
    sinks = torch.zeros(2, tokens, dtype=torch.bool)
    sinks[:, :3] = True
    return {  # what the kernel is told, and all that is visible
        "causal": (None, None, row_mask(ids)),
        "window 1": (None, 1, row_mask(ids, window=1)),
        "window 50": (None, 50, row_mask(ids, window=50)),
        "window over two blocks": (None, 200, row_mask(ids, window=200)),
        "window beyond the row": (None, 1000, row_mask(ids)),
        "documents": (row_mask(ids, documents), None, row_mask(ids, documents)),
        "documents, window": (row_mask(ids, documents, 50), 50, row_mask(ids, documents, 50)),
        "sinks": (row_mask(ids, None, 50, sinks), None, row_mask(ids, None, 50, sinks)),
        "one mask for all rows": (row_mask(ids[:1], documents[:1]), None, row_mask(ids[:1], documents[:1])),
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tokens", [1, 7, 128, LONG])
def test_forward_and_gradients_equal_plain_attention(tokens, dtype):
    # The plain attention works its softmax out in float32, so both types agree to float32.
    for name, (mask, window, visible) in cases(tokens).items():
        q, k, v, toward = draw(tokens, dtype)
        out, expected = blocked.attention(q, k, v, mask, window), attend_plain(q, k, v, visible)
        torch.testing.assert_close(out, expected, rtol=1e-4, atol=3e-6, msg=lambda m, n=name: f"{n}: {m}")
        grads = torch.autograd.grad(out, (q, k, v), toward)
        for grad, other in zip(grads, torch.autograd.grad(expected, (q, k, v), toward), strict=True):
            torch.testing.assert_close(grad, other, rtol=1e-4, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.slow
@pytest.mark.parametrize("case", ["window", "causal", "documents"])
def test_gradients_pass_finite_differences(case, monkeypatch):
    monkeypatch.setattr(blocked, "BLOCK", 3)  # small blocks, so that a few tokens cross several edges
    tokens = 8
    documents = torch.tensor([[0] * 3 + [1] * 5] * 2)
    mask = row_mask(documents, documents, 4) if case == "documents" else None
    window = None if case == "causal" else 4
    q, k, v, _ = draw(tokens)
    assert torch.autograd.gradcheck(lambda q, k, v: blocked.attention(q, k, v, mask, window), (q, k, v))


@pytest.mark.parametrize(("rows", "heads"), [(1, 3), (3, 1), (1, 1)])
def test_tensors_laid_out_as_the_network_lays_them_out(rows, heads):
    x = torch.randn(rows, 20, heads * 8, requires_grad=True)
    q = x.view(rows, 20, heads, 8).transpose(1, 2)  # not contiguous
    out = blocked.attention(q, q, q, None, None)
    expected = attend_plain(q, q, q, row_mask(torch.zeros(rows, 20, dtype=torch.int64)))
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-6)
    grads = [torch.autograd.grad(of.square().sum(), x, retain_graph=True)[0] for of in (out, expected)]
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_operators_keep_their_contract_with_torch():
    q, k, v = (torch.randn(2, 20, 8, requires_grad=True) for _ in range(3))
    torch.library.opcheck(blocked._forward, (q, k, v, None, 5))


def test_it_is_for_training_on_whole_rows():
    q = torch.zeros(1, 1, 4, 8, requires_grad=True)
    assert blocked.pays(q, q)
    assert not blocked.pays(q.detach(), q)
    assert not blocked.pays(q, torch.zeros(1, 1, 5, 8))
    long = torch.zeros(1, 1, blocked.LONGEST + 1, 1, requires_grad=True)
    assert not blocked.pays(long, long)
    with torch.no_grad():
        assert not blocked.pays(q, q)
