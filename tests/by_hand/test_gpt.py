"""The GPT by hand is linnet's Decoder: the same logits and gradients from the same weights; slopes are slopes."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.by_hand.gpt import Architecture, forward, initial_weights, loss_and_gradients, shapes, take_weights
from linnet.by_hand.gradient_check import gradient_check, relative_error
from linnet.by_hand.softmax import IGNORE
from linnet.model.decoder import Decoder
from tests.by_hand.networks import NETWORKS, SIZES, both, some_ids, state, twins

names = pytest.mark.parametrize("name", NETWORKS)


@names
@given(rows=st.integers(1, 4), tokens=st.integers(1, SIZES["context_length"]), seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=8)
def test_logits_loss_and_gradients_are_those_of_production(name, rows, tokens, seed):
    weights, architecture, model = twins(name, seed)
    ids, targets = some_ids(rows, tokens, seed), some_ids(rows, tokens, seed + 1)
    targets[0, 0] = IGNORE if rows * tokens > 1 else targets[0, 0]
    logits, _ = forward(ids, weights, architecture)
    expected = model(torch.tensor(ids))
    assert expected.dtype == torch.float64
    assert relative_error(logits, expected.detach().numpy()) < 1e-6
    loss, gradients = loss_and_gradients(ids, targets, weights, architecture)
    reference = F.cross_entropy(expected.flatten(0, 1), torch.tensor(targets).flatten())
    reference.backward()
    assert loss == pytest.approx(reference.item(), rel=1e-6)
    theirs = {name: parameter.grad.numpy() for name, parameter in model.named_parameters()}
    assert gradients.keys() == theirs.keys() == weights.keys()
    for key, gradient in gradients.items():
        assert relative_error(gradient, theirs[key]) < 1e-5, key


@names
def test_gradients_are_slopes(name):
    weights, architecture, _ = twins(name)
    ids = some_ids(2, 5)
    rng = np.random.default_rng(0)
    assert gradient_check(lambda w: forward(ids, w, architecture), (weights,), rng, coordinates=2) < 1e-6


@given(seed=st.integers(0, 10**6), data=st.data())
@settings(deadline=None, max_examples=12)
def test_random_architectures_are_those_of_production(seed, data):
    groups, share, half = (data.draw(st.integers(1, 3)) for _ in range(3))
    gain = data.draw(st.booleans())
    sizes = {"num_heads": groups * share, "hidden_size": groups * share * 2 * half}
    mine, theirs = both(
        **sizes, bias=data.draw(st.booleans()), num_kv_heads=groups, norm_gain=gain, qk_norm=data.draw(st.booleans()),
        activation=data.draw(st.sampled_from(["relu2", "swiglu", "gelu"])),
        norm=data.draw(st.sampled_from(["rms", "layer"] if gain else ["rms"])),
        positions=data.draw(st.sampled_from(["rotary", "learned"])),
        embedding_norm=data.draw(st.booleans()), tie_embeddings=data.draw(st.booleans()),
    )  # fmt: skip
    model = Decoder(theirs, torch.Generator().manual_seed(seed)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    ids = some_ids(2, 7, seed)
    logits, _ = forward(ids, take_weights(state(model), mine), mine)
    assert relative_error(logits, model(torch.tensor(ids)).detach().numpy()) < 1e-6


@names
def test_first_weights_are_as_wide_as_those_of_production_and_give_ln_v(name):
    architecture, config = NETWORKS[name]
    wide = {"hidden_size": 64, "mlp_size": 96, "vocab_size": 151}
    architecture, config = dataclasses.replace(architecture, **wide), config.but(**wide)
    weights = initial_weights(architecture, np.random.default_rng(0))
    theirs = state(Decoder(config))
    assert {key: weight.shape for key, weight in weights.items()} == shapes(architecture)
    for key, weight in weights.items():
        assert weight.dtype == np.float64
        assert weight.std() == pytest.approx(theirs[key].std(), rel=0.1), key
        assert weight.mean() == pytest.approx(theirs[key].mean(), abs=0.2 * weight.std() + 1e-12), key
    ids = some_ids(4, 12, vocabulary=151)
    loss, _ = loss_and_gradients(ids[:, :-1], ids[:, 1:], weights, architecture)
    assert loss == pytest.approx(math.log(151), abs=0.1)  # logits that deviate by s add s^2 / 2


@names
def test_a_later_token_changes_no_earlier_logit(name):
    weights, architecture, _ = twins(name)
    ids = some_ids(1, 8)
    changed = ids.copy()
    changed[0, 5] = (changed[0, 5] + 1) % SIZES["vocab_size"]
    before, after = forward(ids, weights, architecture)[0], forward(changed, weights, architecture)[0]
    np.testing.assert_allclose(before[:, :5], after[:, :5], atol=1e-12)
    assert np.abs(before[:, 5:] - after[:, 5:]).max() > 1e-3


def test_float32_stays_float32():
    weights, architecture, _ = twins("Llama")
    small = {name: weight.astype(np.float32) for name, weight in weights.items()}
    loss, gradients = loss_and_gradients(some_ids(2, 6), some_ids(2, 6, 1), small, architecture)
    assert {gradient.dtype for gradient in gradients.values()} == {np.dtype(np.float32)}
    exact, _ = loss_and_gradients(some_ids(2, 6), some_ids(2, 6, 1), weights, architecture)
    assert loss == pytest.approx(exact, rel=1e-4)


def test_weights_of_another_network_are_refused():
    weights, architecture, _ = twins("Llama")
    with pytest.raises(ValueError, match=r"blocks.0.mlp.gate.weight is missing"):
        take_weights({name: w for name, w in weights.items() if name != "blocks.0.mlp.gate.weight"}, architecture)
    with pytest.raises(ValueError, match=r"blocks.0.mix is not part of this architecture"):
        take_weights({**weights, "blocks.0.mix": np.ones(2)}, architecture)
    with pytest.raises(ValueError, match=r"norm.weight has shape \(3,\), and the architecture says \(16,\)"):
        take_weights({**weights, "norm.weight": np.ones(3)}, architecture)


def test_weights_are_copied():
    weights, _, model = twins("Llama")
    weights["embedding.weight"] += 1
    assert not np.allclose(weights["embedding.weight"], state(model)["embedding.weight"])


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"hidden_size": 20, "num_heads": 4}, "hidden_size 20, num_heads 4"),
        ({"num_kv_heads": 3}, "num_kv_heads 3"),
        ({"positions": "sinusoidal"}, "'sinusoidal'; by hand there are rotary, learned"),
        ({"norm": "layer"}, "set norm_gain"),
    ],
)
def test_what_is_not_written_out_is_refused(choices, words):
    with pytest.raises(ValueError, match=words):
        Architecture(10, **choices)


def test_learned_positions_run_out():
    weights, architecture, _ = twins("GPT-2")
    with pytest.raises(ValueError, match="13 tokens, and learned positions end at 12"):
        forward(some_ids(1, 13), weights, architecture)
