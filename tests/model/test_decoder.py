"""The decoder's own switches and refusals; what must hold of every decoder is in test_invariants."""

import copy

import pytest
import torch

from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from tests.model.variants import GPT2, LLAMA, QWEN3, VARIANTS, build, random_ids


def test_a_tied_head_is_the_embedding_and_both_uses_train_it():
    model = build(**VARIANTS["ours_tied"])
    assert model.head.weight is model.embedding.weight
    assert "head.weight" not in dict(model.named_parameters())
    model(random_ids(2, 5)).square().mean().backward()
    assert (model.embedding.weight.grad.abs().sum(1) > 0).all()  # the head moves rows that no id looked up
    assert copy.deepcopy(model).double().head.weight.dtype == torch.float64
    moved = copy.deepcopy(model).to(torch.bfloat16)
    assert moved.head.weight is moved.embedding.weight
    with torch.device("meta"):
        empty = Decoder(model.config)
    empty.to_empty(device="cpu").tie()
    assert empty.head.weight is empty.embedding.weight
    untied = build(**VARIANTS["ours"])
    assert untied.head.weight is not untied.embedding.weight


def test_dropout_is_for_training_only():
    model, ids = build(**{**VARIANTS["ours"], "dropout": 0.5}), random_ids(2, 9)
    without = build(**VARIANTS["ours"])
    with torch.no_grad():
        assert torch.equal(model(ids), without(ids))
        model.train()
        torch.manual_seed(0)
        first, second = model(ids), model(ids)
        torch.manual_seed(0)
        again = model(ids)
    assert not torch.allclose(first, second, atol=0.1)
    assert torch.equal(first, again)


def test_the_soft_cap_bounds_logits_and_keeps_small_ones():
    ids = random_ids(1, 7)
    free = build(**{**VARIANTS["ours"], "logit_soft_cap": None})
    capped = build(**{**VARIANTS["ours"], "logit_soft_cap": 2.0})
    with torch.no_grad():
        raw = free(ids)
        torch.testing.assert_close(capped(ids), 2 * torch.tanh(raw / 2))
        assert raw.abs().max() > 2
        assert capped.bfloat16()(ids).dtype == torch.float32


def test_learned_positions_end_in_words():
    model = build(**GPT2)
    with pytest.raises(ValueError, match="65 tokens, and learned positions end at 64"):
        model(random_ids(1, 65))
    cache = model.new_cache(1, 100)
    model(random_ids(1, 60), cache=cache)
    with pytest.raises(ValueError, match="65 tokens"):
        model(random_ids(1, 5), cache=cache)
    assert cache.lengths.tolist() == [60]  # a refusal changes nothing
    rolling = build(**{**GPT2, "window": 4})
    cache = rolling.new_cache(1, 8, rolling=True)
    for _ in range(16):
        rolling(random_ids(1, 4), cache=cache)
    with pytest.raises(ValueError, match="learned positions end at 64"):
        rolling(random_ids(1, 1), cache=cache)


def test_a_cache_takes_neither_positions_nor_documents():
    model, ids = build(**VARIANTS["ours"]), random_ids(1, 4)
    for extra in ({"positions": torch.arange(4)[None]}, {"documents": torch.zeros(1, 4)}):
        with pytest.raises(ValueError, match="leave both out"):
            model(ids, cache=model.new_cache(1, 8), **extra)


@torch.no_grad()
def test_no_choice_of_positions_shows_a_token_its_future():
    ids = random_ids(1, 12)
    changed = ids.clone()
    changed[:, 6:] = (changed[:, 6:] + 1) % 43
    documents = torch.zeros_like(ids)
    for name in ("ours", "window_sinks", "gpt2"):
        model = build(**VARIANTS[name])
        for positions in (torch.zeros(1, 12), torch.arange(12).flip(0)[None], torch.arange(12)[None] % 6):
            for extra in ({}, {"documents": documents}):
                pair = [model(of, positions=positions.long(), **extra)[:, :6] for of in (ids, changed)]
                assert torch.equal(*pair)


@pytest.mark.parametrize("name", VARIANTS)
def test_bf16_by_autocast_and_by_weights_stays_near_fp32(name):
    model, ids = build(**VARIANTS[name]).train(), random_ids(2, 12)
    for parameter in model.parameters():  # smaller steps, so that three digits of precision are enough to compare
        parameter.data.mul_(0.7)
    exact = model(ids)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(ids)
        mixed.float().square().mean().backward()
        cache = model.new_cache(2, 12)
        cached = torch.cat([model(piece, cache=cache) for piece in ids.split([7, 1, 4], dim=1)], dim=1)
    assert cache.keys[0].dtype == torch.bfloat16
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())
    low = model.bfloat16()(ids)
    for out in (mixed, cached, low):
        error = (out.float() - exact).detach().norm() / exact.detach().norm()
        # Near ties a mixture picks other experts in bf16, and those tokens say something else.
        assert error < (0.5 if model.config.num_experts else 0.1)


def test_mixing_starts_as_the_plain_residual_stream():
    model = build(**VARIANTS["ours"])
    plain = build(**{**VARIANTS["ours"], "residual_mix": False})
    state = {name: value for name, value in model.state_dict().items() if not name.endswith(".mix")}
    plain.load_state_dict(state)
    for block in model.blocks:
        block.mix.data.copy_(torch.tensor([1.0, 0.0]))
    assert Decoder(ModelConfig()).blocks[0].mix.tolist() == [1, 0]
    ids = random_ids(1, 6)
    torch.testing.assert_close(model(ids), plain(ids))


@pytest.mark.parametrize("name", VARIANTS)
def test_attention_weights_share_out_what_may_be_seen(name):
    model, ids = build(**VARIANTS[name]), random_ids(2, 9)
    for layer in range(model.config.num_layers):
        weights = model.attention_weights(ids, layer)
        assert weights.shape == (2, model.config.num_heads, 9, 9)
        total = weights.sum(-1)
        assert (total < 0.999).all() if model.config.sink_logits else torch.allclose(total, torch.ones_like(total))
        order = torch.arange(9)
        seen = order[None] <= order[:, None]
        if (window := model.config.layer_window(layer)) is not None:
            seen &= (order[:, None] - order[None] < window) | (order[None] < model.config.sink_tokens)
        assert torch.equal(weights > 0, seen.expand_as(weights))


@pytest.mark.parametrize("choices", [GPT2, LLAMA, QWEN3], ids=["gpt2", "llama", "qwen3"])
def test_attention_weights_are_those_that_mix_the_values(choices):
    model, ids = build(**choices), random_ids(2, 9)
    attention, met = model.blocks[1].attention, {}
    attention.register_forward_pre_hook(lambda module, inputs: met.update(x=inputs[0]))
    attention.output.register_forward_pre_hook(lambda module, inputs: met.update(mixed=inputs[0]))
    with torch.no_grad():
        model(ids)
        weights = model.attention_weights(ids, 1)
        values = attention.value(met["x"]).view(2, 9, attention.kv_heads, -1).transpose(1, 2)
        values = values.repeat_interleave(attention.heads // attention.kv_heads, dim=1)
    expected = (weights @ values).transpose(1, 2).reshape(2, 9, -1)
    torch.testing.assert_close(met["mixed"], expected, atol=1e-6, rtol=1e-5)


def test_the_head_reads_the_last_states():
    model, ids = build(**GPT2), random_ids(2, 9)
    with torch.no_grad():
        torch.testing.assert_close(model.head(model.states(ids)), model(ids))


def test_logits_after_one_place_are_those_of_all():
    model, ids, places = build(**LLAMA), random_ids(2, 6), torch.tensor([5, 2])
    with torch.no_grad():
        torch.testing.assert_close(model(ids, after=places)[:, 0], model(ids)[torch.arange(2), places])
