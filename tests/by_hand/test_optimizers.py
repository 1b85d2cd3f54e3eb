"""Optimizers by hand against torch.optim and against the ones that train in production, in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.by_hand import optimizers as by_hand
from linnet.by_hand.gpt import take_weights
from linnet.model.decoder import Decoder
from linnet.train import optimizers as production
from linnet.train.config import OptimizerConfig
from tests.by_hand.networks import NETWORKS

STEPS = 6
rates = st.floats(1e-4, 0.5)
decays = st.floats(0.0, 0.9)
matrices = st.tuples(st.integers(1, 9), st.integers(1, 9))
any_shape = st.one_of(st.tuples(st.integers(1, 9)), matrices, st.tuples(*[st.integers(1, 4)] * 3))


def walk(mine, make_theirs, shape, seed):
    """Let both take the same gradients for some steps, of very different sizes; return both weights."""
    rng = np.random.default_rng(seed)
    weights = {"w": rng.normal(size=shape)}
    parameter = torch.nn.Parameter(torch.tensor(weights["w"]))
    theirs = make_theirs([parameter])
    for _ in range(STEPS):
        gradient = rng.normal(size=shape) * 10.0 ** rng.integers(-4, 3)
        mine.step(weights, {"w": gradient})
        parameter.grad = torch.tensor(gradient)
        theirs.step()
    return weights["w"], parameter.detach().numpy()


@given(shape=any_shape, seed=st.integers(0, 10**6), lr=rates, beta=decays, decay=st.floats(0, 0.5))
@settings(deadline=None, max_examples=12)
def test_sgd_momentum_adam_and_adamw_walk_as_those_of_torch(shape, seed, lr, beta, decay):
    betas = (beta, 0.95)
    pairs = (
        (by_hand.SGD(lr), lambda p: torch.optim.SGD(p, lr)),
        (by_hand.Momentum(lr, beta), lambda p: torch.optim.SGD(p, lr, momentum=beta)),
        (by_hand.Adam(lr, *betas), lambda p: torch.optim.Adam(p, lr, betas)),
        (by_hand.AdamW(lr, *betas, 1e-6, decay), lambda p: torch.optim.AdamW(p, lr, betas, 1e-6, decay)),
        (by_hand.AdamW(lr, *betas, 1e-6, decay), lambda p: torch.optim.AdamW(p, lr, betas, 1e-6, decay, fused=True)),
    )
    for mine, theirs in pairs:
        np.testing.assert_allclose(*walk(mine, theirs, shape, seed), rtol=1e-9, atol=1e-9)


@given(shape=matrices, seed=st.integers(0, 10**6), lr=rates, momentum=decays, decay=st.floats(0, 0.5))
@settings(deadline=None, max_examples=30)
def test_muon_walks_as_that_of_production(shape, seed, lr, momentum, decay):
    mine = by_hand.Muon(lr, momentum, decay)
    found, expected = walk(mine, lambda p: production.Muon(p, lr, momentum, decay), shape, seed)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@given(shape=matrices, seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_orthogonalise_is_that_of_production_in_float64_and_near_it_in_the_bf16_that_trains(shape, seed):
    matrix = np.random.default_rng(seed).normal(size=shape)
    found = by_hand.orthogonalise(matrix)
    np.testing.assert_allclose(found, production.orthogonalise(torch.tensor(matrix)[None])[0], rtol=1e-6, atol=1e-6)
    trained = production.orthogonalise(torch.tensor(matrix)[None].float())[0]
    assert trained.dtype == torch.bfloat16
    # Five rounds of products with 8 bits of precision: a few hundredths of a singular value of 1.
    assert np.abs(found - trained.double().numpy()).max() < 0.1


@given(shape=st.tuples(st.integers(2, 12), st.integers(2, 12)), seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_orthogonalise_keeps_directions_and_levels_sizes(shape, seed):
    rng = np.random.default_rng(seed)
    u, _, v = np.linalg.svd(rng.normal(size=shape), full_matrices=False)
    sizes = rng.uniform(0.3, 3.0, size=min(shape))
    core = u.T @ by_hand.orthogonalise(u * sizes @ v) @ v.T
    assert np.abs(core - np.diag(core.diagonal())).max() < 1e-9
    assert 0.6 < core.diagonal().min() <= core.diagonal().max() < 1.3


@given(shape=matrices, other=any_shape, seed=st.integers(0, 10**6), limit=st.floats(0.01, 20))
@settings(deadline=None, max_examples=40)
def test_clipping_is_that_of_torch(shape, other, seed, limit):
    rng = np.random.default_rng(seed)
    gradients = {"a": rng.normal(size=shape), "b": rng.normal(size=other)}
    parameters = [torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.float64)) for g in gradients.values()]
    for parameter, gradient in zip(parameters, gradients.values(), strict=True):
        parameter.grad = torch.tensor(gradient)
    expected = torch.nn.utils.clip_grad_norm_(parameters, limit)
    assert by_hand.clip(gradients, limit) == pytest.approx(float(expected), rel=1e-12)
    for parameter, gradient in zip(parameters, gradients.values(), strict=True):
        # torch also "shortens" by (norm + 1e-6) what is exactly as long as the limit
        np.testing.assert_allclose(gradient, parameter.grad, rtol=1e-6, atol=1e-9)


def test_a_limit_of_zero_leaves_gradients_alone():
    gradients = {"a": np.full(4, 100.0)}
    assert by_hand.clip(gradients, 0) == 200.0
    assert gradients["a"].tolist() == [100.0] * 4


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_weights_are_sorted_as_in_production(name, kind):
    """Each weight gets the rate and the decay that production gives it, from the same kind of optimizer."""
    architecture, config = NETWORKS[name]
    model = Decoder(config)
    weights = take_weights({name: p.detach().numpy() for name, p in model.named_parameters()}, architecture)
    mine = {
        name: (type(part).__name__.replace("AdamW", "Adam"), part.lr, getattr(part, "weight_decay", 0.0))
        for part, names in by_hand.make_optimizer(weights, by_hand.Rates(kind)).parts
        for name in names
    }
    names = {id(p): name for name, p in model.named_parameters()}
    theirs = {
        names[id(p)]: (type(part).__name__.replace("AdamW", "Adam"), group["lr"], group["weight_decay"])
        for part in production.make_optimizer(model, OptimizerConfig(kind=kind)).parts
        for group in part.param_groups
        for p in group["params"]
    }
    assert mine == theirs


def test_the_defaults_are_those_of_production():
    elsewhere = {"adapter_lr", "state_bits"}  # adapters and states in 8 bits are no matter of these mathematics
    assert vars(by_hand.Rates()) == OptimizerConfig().model_dump(exclude=elsewhere)


def test_several_step_as_one_and_each_from_its_own_peak():
    weights = {"a": np.zeros(2), "b": np.zeros(2), "c": np.zeros(2)}
    together = by_hand.Together([(by_hand.SGD(1.0), ["a"]), (by_hand.SGD(0.1), ["b"])])
    together.set_lr(0.5)
    together.set_lr(0.25)
    together.step(weights, {name: np.ones(2) for name in weights})
    assert [weight.tolist() for weight in weights.values()] == [[-0.25, -0.25], [-0.025, -0.025], [0, 0]]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"b has shape \(3,\); Muon moves matrices"):
        by_hand.Muon(0.1).step({"b": np.zeros(3)}, {"b": np.ones(3)})
    with pytest.raises(ValueError, match="'lion'; there are muon and adamw"):
        by_hand.make_optimizer({}, by_hand.Rates(kind="lion"))
