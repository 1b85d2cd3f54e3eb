"""Rotary angles against complex numbers, their dependence on distance only, and known values of sinusoids."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.model.positions import rotary_angles, rotate, sinusoids


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
