"""Kernels of packed layers: equal to the plain products, the same for a token in any company, chosen once a machine."""

import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from linnet.adapt import kernels
from linnet.adapt.kernels import KERNELS, candidates, choose, chosen, eight_bits, plain_products
from linnet.adapt.quant import PackedLinear
from linnet.adapt.whole_numbers import WholeNumbers

FORMS = {"int8": (8, None, False), "int4": (4, 32, False), "int4, zero points": (4, 32, True)}


def layer(form="int8", rounds=False, outputs=80, inputs=128):
    linear = nn.Linear(inputs, outputs)
    with torch.no_grad():
        linear.weight.copy_(torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(0)))
    made = PackedLinear(linear, matrix=WholeNumbers.of(linear.weight, *FORMS[form]))
    made.rounds_inputs = rounds
    return made


def inputs(rows=9, width=128):
    draw = torch.Generator().manual_seed(1)
    return torch.randn(rows, width, generator=draw) * torch.rand(rows, 1, generator=draw).exp()


@torch.no_grad()
@pytest.mark.parametrize("form", FORMS)
def test_kernels_of_full_inputs_give_what_the_matrix_gives(form):
    packed, x = layer(form), inputs()
    wanted = F.linear(x, packed.weight)
    names = candidates(packed)
    assert names[0] == "widened"
    if len(names) == 1:
        pytest.skip("this torch or processor has no packed kernel")
    torch.testing.assert_close(KERNELS["widened"](packed, torch.float32)(x), wanted)
    # bf16 keeps 8 bits: what enters, scales and what leaves are each off by 2^-9 at most.
    product = F.linear(x.abs(), packed.weight.abs())
    off = (KERNELS[names[1]](packed, torch.float32)(x).float() - wanted).abs()
    assert bool((off <= product * 2**-7 + 1e-6).all())
    assert float(off.norm() / wanted.norm()) < 0.01


@torch.no_grad()
def test_whole_number_products_are_exact_and_the_same_in_any_company():
    packed, x = layer(rounds=True), inputs()
    plain = KERNELS["rounded inputs"](packed, torch.float32)
    rounded, reach = eight_bits(x)
    as_entered = (rounded.float() - 128) * reach / 127
    assert float((as_entered - x).abs().max() / reach.max()) <= 0.5 / 127 * 1.001
    torch.testing.assert_close(plain(x), F.linear(as_entered, packed.weight), rtol=1e-5, atol=1e-4)
    if "oneDNN int8" not in candidates(packed):
        pytest.skip("this torch or processor has no product of whole numbers")
    quick = KERNELS["oneDNN int8"](packed, torch.float32)
    torch.testing.assert_close(quick(x), plain(x), rtol=1e-5, atol=1e-4)
    for row in range(len(x)):  # a token is rounded by itself, and whole numbers add up the same in any order
        assert torch.equal(quick(x[row : row + 1])[0], quick(x)[row])


@torch.no_grad()
def test_a_token_of_zeros_gives_zeros():
    packed = layer(rounds=True)
    for name in candidates(packed):
        assert float(KERNELS[name](packed, torch.float32)(torch.zeros(2, 128)).abs().max()) == 0


def test_the_choice_is_the_quickest_kept_and_used(tmp_path, monkeypatch):
    cache = tmp_path / "deep" / "kernels.json"
    slow = iter(range(10**9))
    monkeypatch.setitem(KERNELS, "widened", lambda packed, dtype: lambda x: (sum(range(200_000)), next(slow))[1])
    monkeypatch.setitem(KERNELS, "int4 x bf16", lambda packed, dtype: lambda x: F.linear(x, packed.weight))
    monkeypatch.setattr(kernels, "SECONDS", 0.05)
    packed = layer("int4")
    assert choose(packed, torch.float32, cache) == {"int4": "int4 x bf16"}
    assert next(slow) > 5, "both had their turns"
    assert list(json.loads(cache.read_text()).values()) == ["int4 x bf16"]
    x = inputs(1)
    with torch.no_grad():
        assert torch.allclose(packed(x), F.linear(x, packed.weight, packed.bias))
    monkeypatch.setattr(kernels, "quickest", lambda *_: pytest.fail("tried anew"))
    again = layer("int4")
    assert choose(again, torch.float32, cache) == chosen(again) == {"int4": "int4 x bf16"}
    plain_products(again)
    assert again.kernel is None
    assert chosen(again) == {}


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1', "null"])
def test_a_damaged_cache_is_written_anew(text, tmp_path, monkeypatch):
    cache = tmp_path / "kernels.json"
    cache.write_text(text)
    monkeypatch.setattr(kernels, "quickest", lambda layers, names, dtype: names[0])
    assert choose(layer(), torch.float32, cache) == {"int8": "widened"}
    assert len(json.loads(cache.read_text())) == 1


def test_no_place_for_a_cache_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(kernels, "quickest", lambda layers, names, dtype: names[0])
    assert choose(layer(), torch.float32, tmp_path / "file" / "kernels.json") == {"int8": "widened"}


def test_gradients_go_by_the_matrix_whatever_the_kernel(tmp_path):
    packed = layer(rounds=True)
    choose(packed, torch.float32, tmp_path / "kernels.json")
    x = inputs(2).requires_grad_(True)
    packed(x).sum().backward()
    torch.testing.assert_close(x.grad, packed.weight.sum(0).expand(2, -1))


def test_layers_whose_last_group_is_short_are_widened():
    packed = layer("int4", inputs=80)
    assert candidates(packed) == ["widened"]
