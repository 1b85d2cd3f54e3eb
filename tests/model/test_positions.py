"""Rotary angles against complex numbers, their dependence on distance only, and known values of sinusoids."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.model.config import ModelConfig
from linnet.model.positions import RelativeBias, angles_of, rotary_angles, rotate, sinusoids


def by_complex_numbers(x, positions, theta):
    """Turn pairs (x[i], x[i + d/2]) as complex numbers by e^(i * position * theta^(-2i/d)), in float64."""
    size = x.shape[-1]
    pairs = torch.complex(x[..., : size // 2].double(), x[..., size // 2 :].double())
    frequency = torch.tensor([theta ** (-2 * pair / size) for pair in range(size // 2)], dtype=torch.float64)
    angle = positions.double()[:, None, :, None] * frequency
    turned = pairs * torch.polar(torch.ones_like(angle), angle)
    return torch.cat((turned.real, turned.imag), dim=-1)


@pytest.mark.parametrize(("size", "theta"), [(2, 10000.0), (8, 10000.0), (64, 500.0)])
def test_rotation_equals_multiplication_by_complex_numbers(size, theta):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 12, size, generator=generator)
    positions = torch.stack((torch.arange(12), torch.arange(12) * 37 + 5))
    out = rotate(x, *rotary_angles(positions, size, theta))
    torch.testing.assert_close(out.double(), by_complex_numbers(x, positions, theta), rtol=1e-4, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(query=st.integers(0, 400), distance=st.integers(0, 400), shift=st.integers(1, 2000))
def test_scores_depend_on_the_distance_only(query, distance, shift):
    generator = torch.Generator().manual_seed(1)
    q, k = torch.randn(2, 1, 1, 1, 16, generator=generator)

    def score(query_at, key_at):
        turned = [
            rotate(x, *rotary_angles(torch.tensor([[at]]), 16, 10000.0)) for x, at in ((q, query_at), (k, key_at))
        ]
        return float((turned[0] * turned[1]).sum())

    near = score(query + distance, query)
    assert near == pytest.approx(score(query + distance + shift, query + shift), abs=2e-3)
    # ... and it does depend on it, and on its sign.
    if distance:
        assert near != pytest.approx(score(query, query), abs=1e-6)
        assert near != pytest.approx(score(query, query + distance), abs=1e-6)


def test_rotation_keeps_lengths_and_position_zero():
    x = torch.randn(1, 2, 5, 8, generator=torch.Generator().manual_seed(2))
    out = rotate(x, *rotary_angles(torch.arange(5)[None], 8, 10000.0))
    torch.testing.assert_close(out.norm(dim=-1), x.norm(dim=-1))
    assert torch.equal(out[:, :, 0], x[:, :, 0])
    assert not torch.allclose(out[:, :, 1:], x[:, :, 1:], atol=0.1)


def test_gradient_of_the_rotation_by_finite_differences():
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3)).requires_grad_()
    angles = rotary_angles(torch.tensor([[3, 1, 7]]), 4, 10000.0)
    assert torch.autograd.gradcheck(lambda x: rotate(x, *angles), (x,))


def test_sinusoids_have_the_values_of_the_paper():
    table = sinusoids(torch.tensor([[0, 1, 50]]), 8)
    assert table.shape == (1, 3, 8)
    assert table[0, 0].tolist() == [0, 1] * 4
    for row, position in enumerate((0, 1, 50)):
        for pair in range(4):
            angle = position / 10000 ** (2 * pair / 8)
            assert float(table[0, row, 2 * pair]) == pytest.approx(math.sin(angle), abs=1e-5)
            assert float(table[0, row, 2 * pair + 1]) == pytest.approx(math.cos(angle), abs=1e-5)


STRETCHED = {"num_heads": 1, "head_size": 64, "rope_theta": 500000.0, "rope_factor": 8.0, "rope_context": 8192}


def frequencies(config):
    """Return the angle of each pair at position 1, and the length of its cos and sin."""
    cos, sin = (part[0, 0, 0].double() for part in angles_of(config, torch.tensor([[1]]), torch.float64))
    return torch.atan2(sin, cos).tolist(), torch.hypot(cos, sin)


def test_llama3_keeps_short_waves_and_stretches_long_ones():
    plain, length = frequencies(ModelConfig(**STRETCHED))
    found, stretched = frequencies(ModelConfig(**STRETCHED, rope_scaling="llama3"))
    torch.testing.assert_close(length, stretched)
    between = 0
    for before, after in zip(plain, found, strict=True):
        wave = 2 * math.pi / before
        if wave < 8192 / 4:
            assert after == pytest.approx(before, rel=1e-9)
        elif wave > 8192:
            assert after == pytest.approx(before / 8, rel=1e-9)
        else:
            between += 1
            smooth = (8192 / wave - 1) / 3
            assert after == pytest.approx((1 - smooth) * before / 8 + smooth * before, rel=1e-9)
    assert between > 1


def test_yarn_is_a_ramp_over_the_pairs_and_makes_scores_larger():
    config = ModelConfig(**STRETCHED | {"rope_factor": 32.0, "rope_context": 4096}, rope_scaling="yarn", rope_high=32.0)
    plain, _ = frequencies(config.but(rope_scaling="none"))
    found, length = frequencies(config)
    assert length.tolist() == pytest.approx([0.1 * math.log(32) + 1] * 32)
    # Pair p turns 4096 theta^(-2p/64) / 2 pi times: 32 times at p = 7.35..., once at p = 15.80...
    first, last = (32 * math.log(4096 / (turns * 2 * math.pi)) / math.log(500000.0) for turns in (32, 1))
    kept = [(after / before - 1 / 32) / (1 - 1 / 32) for before, after in zip(plain, found, strict=True)]
    for number, share in enumerate(kept):
        assert share == pytest.approx(min(1, max(0, (last - number) / (last - first))), abs=1e-9)
    assert sum(0 < share < 1 for share in kept) > 5


def test_without_a_stretch_the_angles_are_the_plain_ones():
    config, at = ModelConfig(num_heads=1, head_size=8), torch.tensor([[0, 3, 9]])
    for found, plain in zip(angles_of(config, at), rotary_angles(at, 8, 10000.0), strict=True):
        assert torch.equal(found, plain)


@pytest.mark.parametrize(
    ("both_ways", "kinds", "most"), [(True, 32, 128), (False, 32, 128), (True, 8, 12), (False, 8, 20)]
)
def test_kinds_of_distance_are_those_of_t5(both_ways, kinds, most):
    t5 = pytest.importorskip("transformers.models.t5.modeling_t5")
    kind = "encoder" if both_ways else "decoder"
    bias = RelativeBias(ModelConfig(kind=kind, relative_buckets=kinds, relative_distance=most, positions="relative"))
    ahead = torch.arange(-200, 200)
    expected = t5.T5Attention._relative_position_bucket(ahead, both_ways, kinds, most)
    assert torch.equal(bias.kinds(ahead), expected)
    assert len(expected.unique()) == kinds - both_ways  # of no distance there is but one


def test_a_relative_bias_knows_distances_only():
    bias = RelativeBias(ModelConfig(kind="encoder", positions="relative", num_heads=2, num_layers=1))
    torch.nn.init.normal_(bias.table.weight, generator=torch.Generator().manual_seed(0))
    places = torch.arange(6)[None]
    here = bias(places, places)
    assert here.shape == (1, 2, 6, 6)
    assert torch.equal(here, bias(places + 90, places + 90))
    assert torch.equal(here[0, :, 2, 3], here[0, :, 4, 5])
    assert not torch.equal(here[0, :, 2, 3], here[0, :, 3, 2])
