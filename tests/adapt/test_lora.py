"""LoRA and DoRA: nothing at first, merged as unmerged, stacked, weighed, switched, chosen for each row of a batch."""

import pytest
import torch
import torch.nn.functional as F

from linnet.adapt.config import AdaptConfig
from linnet.adapt.lora import (
    Detour,
    add_detours,
    all_detoured,
    merge,
    scale_of,
    switch,
    switch_rows,
    unmerge,
)
from linnet.adapt.surgery import adapt, fold
from linnet.core.errors import BadInput
from tests.adapt.networks import GPT2, IDS, SMALL, learn, logits, network

LORA, DORA = AdaptConfig(method="lora", rank=3, alpha=5), AdaptConfig(method="dora", rank=3, alpha=5)
KINDS = {"lora": LORA, "rslora": LORA.but(rank_stabilized=True), "dora": DORA, "c_attn": DORA.but(targets="c_attn,mlp")}


@pytest.fixture(scope="module")
def base():
    return logits(network())


def apart(a, b):
    return float((a - b).abs().max())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [SMALL, GPT2], ids=["ours", "gpt2"])
def test_at_first_it_is_the_base_and_merged_it_is_itself(kind, shape):
    before = logits(network(shape))
    model = adapt(network(shape), KINDS[kind])
    assert torch.equal(logits(model), before)
    after = logits(learn(model))
    assert apart(after, before) > 0.1
    merge(model)
    assert apart(logits(model), after) < 1e-5
    merge(model)  # a second time changes nothing
    assert apart(logits(model), after) < 1e-5
    unmerge(model)
    assert apart(logits(model), after) < 1e-5
    switch(model, {})
    assert apart(logits(model), before) < 1e-5
    switch(model, {"default": 1.0})
    folded = fold(model)
    assert apart(logits(folded), after) < 1e-5
    assert not list(all_detoured(folded))
    assert {name for name, _ in folded.named_parameters()} == {name for name, _ in network(shape).named_parameters()}


def test_it_is_the_formula():
    draw = torch.Generator().manual_seed(0)
    x, w = torch.randn(7, 6, generator=draw), torch.randn(4, 6, generator=draw)
    a, b, m = (torch.randn(size, generator=draw) for size in ((2, 6), (4, 2), (4,)))
    linear = torch.nn.Linear(6, 4)
    linear.weight.data.copy_(w)
    for length in (None, m):
        detour = Detour(torch.nn.Parameter(a), 4, 1.5, 0.0, length)
        detour.up.data.copy_(b)
        whole = w + 1.5 * b @ a
        if length is not None:
            whole = length[:, None] * whole / whole.norm(dim=1, keepdim=True)
        said = linear(x)
        bias = linear.bias.detach()
        torch.testing.assert_close(detour(x, linear, said) + said, F.linear(x, whole, bias), atol=1e-5, rtol=1e-5)
    assert scale_of(4, 10, stabilized=False) == 2.5
    assert scale_of(4, 10, stabilized=True) == 5


def stacked():
    """Return a network with three adapters, one a DoRA and one around other layers."""
    model = adapt(network(), LORA)
    draw = torch.Generator().manual_seed(8)
    add_detours(model, DORA.but(targets="attention"), draw, "second")
    add_detours(model, LORA.but(rank=2, targets="blocks.1.mlp.*"), draw, "third")
    for seed, name in enumerate(("default", "second", "third")):
        learn(model, name, seed)
    return model


def test_several_are_stacked_weighed_and_switched(base):
    model = stacked()
    alone = {}
    for name in ("default", "second", "third"):
        switch(model, {name: 1.0})
        alone[name] = logits(model)
        assert apart(alone[name], base) > 0.05
    switch(model, {})
    assert torch.equal(logits(model), base)
    switch(model, {"default": 0.5, "second": 2.0, "third": -1.0})
    mixed = logits(model)
    assert min(apart(mixed, other) for other in (base, *alone.values())) > 0.05
    merge(model)
    assert apart(logits(model), mixed) < 2e-5
    unmerge(model)
    assert apart(logits(model), mixed) < 2e-5
    assert apart(logits(fold(model)), mixed) < 2e-5
    # Each part is linear in its weight: no weight is lost, none counts twice.
    model = stacked()
    layer = model.blocks[1].mlp.up
    x = torch.randn(2, 3, 64)
    with torch.no_grad():
        plain = layer.base(x)
        parts = {name: layer.detours[name](x, layer.base, plain) for name in ("default", "third")}
        switch(model, {"default": 0.5, "third": -1.0})
        torch.testing.assert_close(layer(x), plain + 0.5 * parts["default"] - parts["third"])


@pytest.mark.parametrize("cached", [False, True])
def test_a_batch_with_an_adapter_for_each_row_is_each_row_alone(cached, base):
    model, rows = stacked(), ["second", None, "default", "third"]

    def read(ids):
        if not cached:
            return logits(model, ids)
        cache = model.new_cache(len(ids), ids.shape[1])
        with torch.no_grad():
            return torch.cat([model(piece, cache=cache) for piece in ids.split([5, 1, 7], dim=1)], dim=1)

    switch_rows(model, rows)
    together = read(IDS)
    for number, name in enumerate(rows):
        switch(model, {} if name is None else {name: 1.0})
        assert apart(together[number], read(IDS[number : number + 1])[0]) < 1e-5
    assert apart(together[1], base[1]) < 1e-5
    assert apart(together[0], base[0]) > 0.05


def test_what_rows_cannot_have_is_said():
    model = stacked()
    switch_rows(model, ["second", None, "default", "third"])
    with pytest.raises(ValueError, match="chosen for 4 rows"):
        logits(model, IDS[:2])
    with pytest.raises(ValueError, match="chosen for each row"):
        merge(model)
    with pytest.raises(BadInput, match="no adapter fourth is there, only default, second, third"):
        switch(model, {"fourth": 1.0})
    with pytest.raises(BadInput, match="no adapter fourth"):
        switch_rows(model, ["fourth"])
    with pytest.raises(BadInput, match="third is there already"):
        add_detours(model, LORA, torch.Generator(), "third")
    experts = adapt(network(SMALL.but(num_experts=2)), LORA)
    with pytest.raises(BadInput, match="experts see tokens without their rows"):
        switch_rows(experts, ["default"])


def test_only_the_detours_learn_and_both_matrices_do():
    model = learn(adapt(network(), DORA)).train()
    model(IDS).square().mean().backward()
    learned = {name for name, p in model.named_parameters() if p.requires_grad}
    assert learned == {name for name, p in model.named_parameters() if p.grad is not None and float(p.grad.abs().max())}
    assert {name.rpartition(".")[2] for name in learned} == {"down", "up", "magnitude"}
    fresh = adapt(network(), LORA)
    fresh(IDS).square().mean().backward()
    gradients = {name: float(p.grad.abs().max()) for name, p in fresh.named_parameters() if p.requires_grad}
    assert all((size > 0) == name.endswith("up") for name, size in gradients.items())


def test_one_way_into_query_key_and_value_is_one_matrix():
    model = adapt(network(), LORA.but(targets="c_attn"))
    ways = {id(layer.detours["default"].down) for _, layer in all_detoured(model)}
    assert (len(list(all_detoured(model))), len(ways)) == (6, 2)
    numbers = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert numbers == 2 * 3 * (64 + 64 + 32 + 32)


def test_dropout_is_of_the_detour_and_of_training_alone():
    model = learn(adapt(network(), LORA.but(dropout=0.5)))
    assert torch.equal(logits(model), logits(model))
    model.train()
    assert not torch.equal(logits(model), logits(model))
    switch(model, {})
    assert torch.equal(logits(model), logits(model))


def test_two_seeds_begin_apart_and_one_seed_alike():
    ways = [adapt(network(), LORA, seed=seed).blocks[0].mlp.up.detours["default"].down for seed in (0, 0, 1)]
    assert torch.equal(ways[0], ways[1])
    assert not torch.equal(ways[0], ways[2])
    assert float(ways[0].abs().max()) <= 64**-0.5
