"""The mixture of experts against a slow loop over tokens, and its rules of capacity, padding, gradient and balance."""

import pytest
import torch

from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.mlp import MLP
from linnet.model.moe import FEW, MANY, MixtureOfExperts
from tests.model.variants import MIXTRAL


def make(chosen=2, experts=4, capacity=None, **choices) -> MixtureOfExperts:
    config = ModelConfig(
        hidden_size=8,
        num_heads=1,
        mlp_size=12,
        activation="swiglu",
        num_experts=experts,
        experts_per_token=chosen,
        expert_capacity=capacity,
        **choices,
    )
    torch.manual_seed(0)
    mixture = MixtureOfExperts(config)
    for parameter in mixture.parameters():
        torch.nn.init.normal_(parameter)
    return mixture


def draw(rows=2, tokens=9):
    return torch.randn(rows, tokens, 8, generator=torch.Generator().manual_seed(rows * tokens))


def by_a_loop(mixture: MixtureOfExperts, x: torch.Tensor, real: torch.Tensor | None = None) -> torch.Tensor:
    """Route token by token: all first choices are seated before all second ones, in the order of the batch."""
    flat = x.reshape(-1, 8)
    keep = [True] * len(flat) if real is None else real.reshape(-1).tolist()
    choices = []
    for token in flat:
        bias = 0 if mixture.router.bias is None else mixture.router.bias
        probability = (mixture.router.weight @ token + bias).softmax(0)
        order = probability.argsort(descending=True)[: mixture.chosen].tolist()
        total = sum(float(probability[e]) for e in order) if mixture.normalise else 1.0
        choices.append([(e, float(probability[e]) / total) for e in order])
    seats = [10**9] * len(mixture.experts)
    if mixture.capacity is not None:
        share = sum(keep) * mixture.chosen / len(mixture.experts)
        seats = [max(1, int(mixture.capacity * share))] * len(mixture.experts)
    out = torch.zeros_like(flat)
    for rank in range(mixture.chosen):
        for at, token in enumerate(flat):
            expert, weight = choices[at][rank]
            if keep[at] and seats[expert]:
                seats[expert] -= 1
                out[at] += weight * mixture.experts[expert](token)
    return out.view_as(x)


@pytest.mark.parametrize("capacity", [None, 0.01, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("chosen", [1, 2])
@torch.no_grad()
def test_equal_to_a_loop_over_tokens(chosen, capacity):
    mixture = make(chosen, capacity=capacity)
    real = torch.arange(9)[None] < torch.tensor([[9], [4]])
    for keep in (None, real):
        x = draw()
        torch.testing.assert_close(mixture(x, keep), by_a_loop(mixture, x, keep), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "choices", [{"chosen": 3}, {"normalise_experts": False}, {"router_bias": True, "chosen": 4}, {"expert_size": 5}]
)
@torch.no_grad()
def test_so_are_more_experts_a_token_plain_weights_a_bias_and_a_width(choices):
    mixture, x = make(**choices), draw()
    torch.testing.assert_close(mixture(x), by_a_loop(mixture, x), rtol=1e-4, atol=1e-4)
    assert mixture.experts[0].up.out_features == choices.get("expert_size", 12)
    assert mixture.normalise == choices.get("normalise_experts", True)


def test_experts_read_in_multiples_and_what_was_added_says_and_learns_nothing():
    mixture, x = make(), draw(2, 230)
    sizes = []
    for expert in mixture.experts:
        expert.register_forward_hook(lambda _, given, __: sizes.append(len(given[0])))
    found = mixture(x)
    assert max(sizes) > MANY >= min(sizes) > FEW
    assert all(size % (MANY if size > MANY else FEW) == 0 for size in sizes)
    wanted = by_a_loop(mixture, x)
    assert torch.allclose(found, wanted, atol=1e-4)
    pull = draw(2, 230)
    names, parameters = zip(*mixture.named_parameters(), strict=True)
    by_rows = torch.autograd.grad((found * pull).sum(), parameters)
    one_by_one = torch.autograd.grad((wanted * pull).sum(), parameters, allow_unused=True)
    experts = [n for n, name in enumerate(names) if name.startswith("experts")]
    assert all(torch.allclose(by_rows[n], one_by_one[n], rtol=1e-4, atol=1e-3) for n in experts)


def test_a_single_expert_keeps_its_probability():
    assert not make(chosen=1).normalise


@torch.no_grad()
def test_tokens_beyond_the_capacity_get_nothing_from_the_expert():
    mixture = make(chosen=1, capacity=1.0)
    same = draw(1, 1).expand(1, 8, 8)  # eight tokens that all want one expert, which has room for two
    out = mixture(same)[0]
    assert (out[:2].abs().sum(-1) > 0).all()
    assert out[2:].abs().sum() == 0


@torch.no_grad()
def test_padding_is_not_routed_not_counted_and_takes_no_room():
    for capacity in (None, 1.0):
        mixture = make(capacity=capacity)
        x, real = draw(2, 9), torch.arange(9)[None] < torch.tensor([[5], [5]])
        alone = mixture(x[:, :5])
        load, balance = mixture.load, mixture.balance_loss
        padded = mixture(torch.where(real[..., None], x, 100.0), real)
        assert padded[:, 5:].abs().sum() == 0
        torch.testing.assert_close(padded[:, :5], alone)
        torch.testing.assert_close(mixture.load, load)
        torch.testing.assert_close(mixture.balance_loss, balance)
        assert mixture.load.sum() == pytest.approx(1)
    assert torch.isfinite(mixture(x, torch.zeros(2, 9, dtype=torch.bool))).all()


@pytest.mark.parametrize("chosen", [1, 2])
def test_the_router_gets_a_gradient_from_the_output_alone(chosen):
    mixture = make(chosen)
    mixture(draw()).square().sum().backward()
    assert mixture.router.weight.grad.abs().max() > 1e-3
    for expert in mixture.experts:
        assert all(parameter.grad is not None for parameter in expert.parameters())


def test_balance_loss_is_one_at_even_load_and_grows_to_the_number_of_experts():
    mixture = make(chosen=1)
    mixture.router.weight.data.zero_()[:, :4] = 20 * torch.eye(4)
    even = torch.eye(8)[:4].expand(3, 4, 8)  # each expert is sure of a quarter of the tokens
    mixture(even)
    assert mixture.balance_loss.item() == pytest.approx(1, abs=1e-4)
    assert mixture.load.tolist() == [0.25] * 4
    mixture(even[:, :1])
    assert mixture.balance_loss.item() == pytest.approx(4, abs=1e-4)
    mixture(draw())
    (grad,) = torch.autograd.grad(mixture.balance_loss, mixture.router.weight)
    assert grad.abs().max() > 1e-4


def test_balance_loss_is_the_formula_of_the_switch_transformer():
    mixture, x = make(chosen=1), draw()
    mixture(x)
    probability = (x.reshape(-1, 8) @ mixture.router.weight.T).softmax(-1)
    share = torch.bincount(probability.argmax(-1), minlength=4) / 18
    torch.testing.assert_close(mixture.balance_loss, 4 * (share * probability.mean(0)).sum())


@pytest.mark.parametrize(
    ("every", "expected"), [(1, [True] * 4), (2, [False, True] * 2), (3, [False, False, True, False])]
)
def test_each_layer_is_switched_to_a_mixture_or_left_dense(every, expected):
    model = Decoder(ModelConfig(**{**MIXTRAL, "num_layers": 4, "moe_every": every}))
    assert [isinstance(block.mlp, MixtureOfExperts) for block in model.blocks] == expected
    assert [isinstance(block.mlp, MLP) for block in model.blocks] == [not mixture for mixture in expected]
    assert len(model.mixtures()) == sum(expected)


def test_the_router_stays_in_fp32_under_autocast():
    mixture, x = make(), draw()
    with torch.no_grad():
        mixture(x)
        load = mixture.balance_loss
        with torch.autocast("cpu", torch.bfloat16):
            mixture(x)
    assert torch.equal(mixture.balance_loss, load)
