"""The dense MLPs against their formulas written out."""

import math

import pytest
import torch

from linnet.model.config import ModelConfig
from linnet.model.mlp import MLP

FORMULAS = {
    "relu2": lambda x: max(x, 0.0) ** 2,
    "gelu": lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "gelu_exact": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
}


def make(activation, bias):
    torch.manual_seed(0)
    mlp = MLP(ModelConfig(hidden_size=6, num_heads=1, mlp_size=10, activation=activation, mlp_bias=bias)).double()
    for parameter in mlp.parameters():
        torch.nn.init.normal_(parameter)
    return mlp


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("activation", FORMULAS)
def test_activations_by_their_formulas(activation, bias):
    mlp, x = make(activation, bias), torch.randn(4, 6, dtype=torch.float64)
    wide = mlp.up(x)
    bent = torch.tensor(
        [[FORMULAS[activation](float(value)) for value in row] for row in wide.detach()], dtype=torch.float64
    )
    torch.testing.assert_close(mlp(x), mlp.down(bent), rtol=1e-10, atol=1e-10)
    assert (mlp.up.bias is not None) == (mlp.down.bias is not None) == bias


@pytest.mark.parametrize("bias", [False, True])
def test_swiglu_by_its_formula(bias):
    mlp, x = make("swiglu", bias), torch.randn(4, 6, dtype=torch.float64)
    gate = mlp.gate(x)
    torch.testing.assert_close(mlp(x), mlp.down(gate / (1 + (-gate).exp()) * mlp.up(x)), rtol=1e-10, atol=1e-10)
    assert (mlp.gate.bias is not None) == bias


@pytest.mark.parametrize("activation", [*FORMULAS, "swiglu"])
def test_gradients_pass_finite_differences(activation):
    x = torch.randn(3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradcheck(make(activation, True), (x,))


def test_gated_activations_by_their_formulas():
    def clamped(gate, up):
        gate, up = min(gate, 7.0), min(max(up, -7.0), 7.0)
        return gate / (1 + math.exp(-1.702 * gate)) * (up + 1)

    formulas = {"swiglu": lambda gate, up: gate / (1 + math.exp(-gate)) * up, "swiglu_clamped": clamped}
    x = 3 * torch.randn(50, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for activation, formula in formulas.items():
        mlp = make(activation, True)
        gates, ups = mlp.gate(x).detach(), mlp.up(x).detach()
        assert (gates.max() > 7, ups.max() > 7, ups.min() < -7) == (True, True, True)  # the clamps are met
        bent = [[formula(*map(float, pair)) for pair in zip(*row, strict=True)] for row in zip(gates, ups, strict=True)]
        bent = torch.tensor(bent, dtype=torch.float64)
        torch.testing.assert_close(mlp(x), mlp.down(bent), rtol=1e-10, atol=1e-10)


def test_an_expert_may_have_a_width_of_its_own():
    config = ModelConfig(hidden_size=6, num_heads=1, mlp_size=10, activation="swiglu")
    assert (MLP(config).up.out_features, MLP(config, 4).gate.out_features) == (10, 4)
