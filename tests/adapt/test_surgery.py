"""The one call: what learns and what stands still, what it costs, the reference beside it, operating again."""

import pytest
import torch

from linnet.adapt.config import AdaptConfig
from linnet.adapt.quant import PackedLinear
from linnet.adapt.surgery import adapt, added, counts, fold, plain, set_dropout, start_of
from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.train.config import OptimizerConfig
from linnet.train.loop import steps
from linnet.train.objectives import next_token
from linnet.train.optimizers import make_optimizer
from linnet.train.precision import Precision
from linnet.train.state import TrainState
from tests.adapt.networks import GPT2, IDS, SMALL, logits, network
from tests.train.batches_for_tests import Counted

METHODS = ("lora", "dora", "qlora", "prompt", "prefix", "head")


def asked(method, **more):
    return AdaptConfig(method=method, rank=2, virtual_tokens=3, **more)


def trained(model: Decoder, kind: str = "muon") -> TrainState:
    optimizer = make_optimizer(model, OptimizerConfig(kind=kind, adapter_lr=0.05, head_lr=0.05))
    state = TrainState(model, optimizer, Counted(), Precision(torch.float32, torch.device("cpu")))
    list(steps(state, next_token, lambda _: 1.0, total=3))
    model.eval()
    return state


@pytest.mark.parametrize("kind", ["muon", "adamw"])
@pytest.mark.parametrize("method", METHODS)
def test_only_what_the_method_names_learns_and_has_a_state(method, kind):
    model = adapt(network(), asked(method))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    start = start_of(model)
    reference = logits(start)
    state = trained(model, kind)
    learn = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == learn
    assert sum(p.numel() for name, p in model.named_parameters() if name in learn) == counts(model)["trainable"]
    held = {id(parameter) for part in state.optimizer.parts for parameter in part.state}
    assert held == {id(parameter) for name, parameter in model.named_parameters() if name in learn}
    assert {name for name in state._tensors() if name.startswith("model/")} == {f"model/{name}" for name in learn}
    assert (method == "head") == (not added(model))
    # The reference is still what it was: it has no adapter, and nothing that it shares has moved.
    assert torch.equal(logits(start), reference)
    assert float((logits(model) - reference).abs().max()) > 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_the_reference_costs_no_second_network(method):
    model = adapt(network(), asked(method))
    start = start_of(model)
    own = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
    extra = sum(p.numel() for p in start.parameters() if id(p) not in own)
    assert extra == (37 * 64 if method == "head" else 0)
    expected = fold(adapt(network(), asked("qlora"))) if method == "qlora" else network()
    assert float((logits(start) - logits(expected)).abs().max()) < 1e-5
    assert not any(parameter.requires_grad for parameter in start.parameters())
    whole = network()
    copied = start_of(whole)
    assert not {id(p) for p in whole.parameters()} & {id(p) for p in copied.parameters()}


def test_counts_take_a_packed_weight_for_one():
    full = counts(network())["total"]
    for quantization in ("nf4", "int8"):
        model = adapt(network(), asked("qlora", quantization=quantization, targets="query"))
        assert counts(model) == {"trainable": 2 * 2 * 128, "total": full + 2 * 2 * 128}
        assert sum(isinstance(module, PackedLinear) for module in model.modules()) == 12


def test_experts_are_packed_and_adapted_and_routers_are_not():
    model = adapt(network(SMALL.but(num_experts=3)), asked("qlora"))
    packed = {name for name, module in model.named_modules() if isinstance(module, PackedLinear)}
    assert "blocks.0.mlp.experts.2.up.base" in packed
    assert not any("router" in name or "value_gate" in name or name.startswith("head") for name in packed)
    logits(model)


@pytest.mark.parametrize("config", [SMALL, GPT2], ids=["own head", "tied head"])
def test_the_head_alone_leaves_the_embedding_alone(config):
    model = adapt(network(config), asked("head"))
    assert torch.equal(logits(model), logits(network(config)))
    assert not model.config.tie_embeddings
    trained(model)
    assert torch.equal(model.embedding.weight, network(config).embedding.weight)
    assert not torch.equal(model.head.weight, network(config).head.weight)


@pytest.mark.parametrize("first", ["lora", "dora", "qlora"])
def test_a_second_operation_goes_on_from_what_the_first_has_made(first):
    model = adapt(network(), asked(first))
    trained(model)
    before = logits(model)
    again = adapt(model, asked("lora"), seed=1)
    assert float((logits(again) - before).abs().max()) < 1e-5
    assert counts(again)["total"] == counts(adapt(network(), asked("lora")))["total"]
    full = adapt(again, asked("full"))
    assert {name for name, _ in full.named_parameters()} == {name for name, _ in network().named_parameters()}
    assert all(parameter.requires_grad for parameter in full.parameters())
    assert float((logits(full) - before).abs().max()) < 1e-5


def test_virtual_tokens_stay_below_a_second_adapter_and_are_no_weights():
    model = adapt(network(), asked("prompt"))
    trained(model)
    before = logits(model)
    again = adapt(model, asked("lora"))
    assert torch.equal(logits(again), before)
    assert not again.prefix.vectors.requires_grad
    assert torch.equal(logits(start_of(again)), before)
    for what in (lambda: adapt(again, asked("full")), lambda: plain(again)):
        with pytest.raises(BadInput, match="virtual tokens"):
            what()


def test_what_learns_whole_besides_is_named():
    model = adapt(network(), asked("lora"), whole=("head", "head_layer"))
    assert {n for n, p in model.named_parameters() if p.requires_grad and "detours" not in n} == {"head.weight"}


def test_dropout_is_set_everywhere():
    model = network(SMALL.but(dropout=0.5)).train()
    assert not torch.equal(logits(model), logits(model))
    set_dropout(model, 0.0)
    assert torch.equal(logits(model), logits(model))
    assert model.config.dropout == 0


def test_other_networks_can_have_detours_and_no_virtual_tokens():
    from linnet.model.network import build

    for kind in ("encoder", "encoder_decoder"):
        model = build(ModelConfig(kind=kind, vocab_size=37, num_layers=1, hidden_size=32, num_heads=2))
        with pytest.raises(BadInput, match="is for decoders"):
            adapt(model, asked("prompt"))
        read = (IDS, IDS) if kind == "encoder_decoder" else (IDS,)
        with torch.no_grad():
            before = model.eval()(*read)
            assert torch.equal(adapt(model, asked("dora"))(*read), before)
            if kind == "encoder_decoder":
                assert "decoder.blocks.0.cross.query" in dict(model.named_modules())
                assert len(added(adapt(model, asked("lora", targets="cross")))) == 8
