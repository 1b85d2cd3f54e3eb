"""Norms against PyTorch's own and against their formulas, forward and backward."""

import pytest
import torch
import torch.nn.functional as F

from linnet.model.config import ModelConfig
from linnet.model.norm import LayerNorm, RMSNorm, make_norm, rms_norm


def draw(*shape, dtype=torch.float32, seed=0):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("epsilon", [1e-6, 1e-1])
@pytest.mark.parametrize("gain", [False, True])
def test_rms_norm_is_its_formula_and_pytorchs(gain, epsilon):
    norm = RMSNorm(16, epsilon, gain)
    x = (3 * draw(2, 5, 16)).requires_grad_()
    weight = None
    if gain:
        weight = norm.weight.data.copy_(draw(16, seed=1))
    expected = F.rms_norm(x, (16,), weight, epsilon)
    out = norm(x)
    torch.testing.assert_close(out, expected)
    by_hand = x / (x.square().mean(-1, keepdim=True) + epsilon).sqrt() * (1 if weight is None else weight)
    torch.testing.assert_close(out, by_hand)
    toward = draw(2, 5, 16, seed=2)
    grads = [torch.autograd.grad(of, x, toward, retain_graph=True)[0] for of in (out, expected)]
    torch.testing.assert_close(*grads, rtol=1e-5, atol=1e-6)


def test_rms_norm_gradients_pass_finite_differences():
    x, gain = draw(3, 6, dtype=torch.float64).requires_grad_(), draw(6, dtype=torch.float64, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, gain: rms_norm(x, gain, 0.05), (x, gain))


def test_rms_norm_of_zeros_and_of_large_halves_is_finite():
    zeros = torch.zeros(2, 8, requires_grad=True)
    out = rms_norm(zeros, None, 1e-6)
    (grad,) = torch.autograd.grad(out.sum(), zeros)
    assert out.abs().max() == 0
    assert torch.isfinite(grad).all()
    # The square of 1000 does not fit in fp16; the norm must work it out wider.
    large = torch.full((1, 8), 1000.0, dtype=torch.float16)
    torch.testing.assert_close(rms_norm(large, None, 1e-6), torch.ones(1, 8, dtype=torch.float16))
    assert rms_norm(large.bfloat16(), torch.ones(8), 1e-6).dtype == torch.bfloat16


@pytest.mark.parametrize("gain", [False, True])
def test_layer_norm_is_pytorchs_and_its_formula(gain):
    norm, theirs = LayerNorm(16, 1e-3, gain), torch.nn.LayerNorm(16, 1e-3, elementwise_affine=gain)
    if gain:
        for own, other in ((norm.weight, theirs.weight), (norm.bias, theirs.bias)):
            own.data.copy_(draw(16, seed=3))
            other.data.copy_(own.data)
    x = 3 * draw(2, 5, 16) + 1
    torch.testing.assert_close(norm(x), theirs(x))
    if not gain:
        by_hand = (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-3).sqrt()
        torch.testing.assert_close(norm(x), by_hand)


def test_the_config_names_the_norm():
    norm = make_norm(ModelConfig(norm="layer", norm_gain=True, norm_epsilon=0.5, hidden_size=8))
    assert isinstance(norm, LayerNorm)
    assert (norm.epsilon, norm.weight.shape, norm.bias.shape) == (0.5, (8,), (8,))
    assert [name for name, _ in make_norm(ModelConfig(hidden_size=8)).named_parameters()] == []
