"""Packed layers: small, close to what they were, exact in their gradient, untouched by a change of type."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from linnet.adapt.quant import PackedLinear, int8
from linnet.by_hand.quantize import quantize

KINDS = {"nf4": ("nf4", False), "nf4, double": ("nf4", True), "int8": ("int8", False)}
BITS = {"nf4": 4.5, "nf4, double": 4 + 8 / 64 + 32 / 64 / 256, "int8": 8 + 32 / 256}


def linear(rows=512, columns=256):
    torch.manual_seed(0)
    return nn.Linear(columns, rows)


@pytest.mark.parametrize("kind", KINDS)
def test_its_bytes_are_what_its_bits_say(kind):
    packed = PackedLinear(linear(), *KINDS[kind])
    assert packed.bytes == pytest.approx(512 * 256 * BITS[kind] / 8, abs=8)
    held = sum(t.numel() * t.element_size() for t in (*packed.parameters(), *packed.buffers()))
    assert held == packed.bytes + 512 * 4, "the bias and nothing else"


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_close_and_products_those_of_the_weights_as_kept(kind):
    before, packed = linear(), PackedLinear(linear(), *KINDS[kind])
    step = (before.weight.abs().max() * (1 / 127 if kind == "int8" else 0.304)).item()
    assert float((packed.weight - before.weight).abs().max()) <= 0.51 * step
    assert float((packed.weight - before.weight).abs().mean()) < 0.1 * float(before.weight.abs().mean())
    x = torch.randn(3, 5, 256, requires_grad=True)
    twin = x.detach().clone().requires_grad_(True)
    y, expected = packed(x), F.linear(twin, packed.weight, packed.bias)
    torch.testing.assert_close(y, expected)
    up = torch.randn_like(y)
    y.backward(up)
    expected.backward(up)
    torch.testing.assert_close(x.grad, twin.grad)
    plain = packed.unpacked()
    assert torch.equal(plain.weight, packed.weight)
    torch.testing.assert_close(plain(x), y)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_wide_is_kept_for_the_gradient(kind):
    packed = PackedLinear(linear(), *KINDS[kind])
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        packed(torch.randn(2, 256, requires_grad=True))
    assert sum(kept) < 512 * 256 / 8


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_of_type_leaves_codes_and_scales_alone(kind):
    packed = PackedLinear(linear(), *KINDS[kind])
    before = packed.weight
    packed.to(torch.bfloat16)
    assert torch.equal(packed.weight, before)
    assert packed(torch.randn(2, 256, dtype=torch.bfloat16)).dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        x = torch.randn(2, 256, requires_grad=True)
        packed(x).float().sum().backward()
    assert x.grad is not None
    assert not any(parameter.requires_grad for parameter in packed.parameters())


def test_it_is_saved_and_loaded_to_the_bit():
    one, other = PackedLinear(linear()), PackedLinear(nn.Linear(256, 512))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.weight, other.weight)


def test_int8_is_that_of_the_lessons():
    matrix = torch.cat((linear().weight.detach(), torch.zeros(1, 256)))
    codes, scale = int8(matrix)
    theirs = quantize(matrix.double().numpy())
    assert float((codes.double() - torch.from_numpy(theirs[0])).abs().max()) <= 1, "ties, in another precision"
    assert float((codes.double() != torch.from_numpy(theirs[0])).double().mean()) < 1e-4
    torch.testing.assert_close(scale.double(), torch.from_numpy(theirs[1]), atol=1e-8, rtol=1e-6)
