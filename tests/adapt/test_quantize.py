"""Quantized copies of networks: complete, close, built again from their header; refusals."""

import json

import pytest
import torch
from torch import nn

from linnet.adapt import quantize as home
from linnet.adapt.config import AdaptConfig
from linnet.adapt.quant import PackedLinear, PackedTable, is_copy
from linnet.adapt.quant_config import QuantConfig
from linnet.adapt.quantize import Header, packed_modules, quantize, read_header, rebuild
from linnet.adapt.surgery import adapt, counts, fold, is_plain, plain
from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder
from tests.adapt.networks import GPT2, IDS, SMALL, logits, network

MOE = SMALL.but(num_experts=3, value_embedding_every=0)
NETWORKS = {"ours": SMALL, "gpt2": GPT2, "experts": MOE}
CHOICES = {
    "int8": QuantConfig(method="int8"),
    "int8-dynamic": QuantConfig(),
    "int4": QuantConfig(method="int4", group=32),
    "int4 nearest": QuantConfig(method="int4", group=32, rounding="nearest", zero_point=False),
}
FAR = {"int8": 0.03, "int8-dynamic": 0.03, "int4": 0.3, "int4 nearest": 0.3}  # of the logits' length


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("method", CHOICES)
def test_every_matrix_is_converted_or_named_and_the_copy_says_the_same(name, method):
    whole, model = network(NETWORKS[name]), network(NETWORKS[name])
    header = quantize(model, CHOICES[method], [(IDS, None)])
    layers = {n for n, m in whole.named_modules() if isinstance(m, nn.Linear | nn.Embedding)}
    assert {n for n, _ in packed_modules(model)} == set(header.packed)
    left = {n for n, _ in model.named_parameters()}
    assert left == set(header.left)
    assert {n.rpartition(".")[0] for n in left if model.get_parameter(n).ndim > 1} | set(header.packed) == layers
    assert all(n.endswith(("value_gate.weight", "router.weight")) for n in left if model.get_parameter(n).ndim > 1)
    before, after = logits(whole), logits(model)
    assert float((after - before).norm() / before.norm()) < FAR[method]
    assert is_copy(model)
    assert not is_plain(model)
    assert counts(model)["total"] == counts(whole)["total"]


def test_a_tied_head_multiplies_by_the_table_itself():
    model = network(GPT2)
    quantize(model, CHOICES["int4"], [(IDS, None)])
    assert model.head.matrix is model.embedding.matrix
    assert model.head.matrix.bits == 8
    table = model.embedding(torch.arange(37))
    assert torch.equal(table, model.head.weight)


def test_calibration_makes_four_bits_better_where_it_was_calibrated():
    whole = network()
    nearest, calibrated = network(), network()
    quantize(nearest, QuantConfig(method="int4", group=32, rounding="nearest"))
    header = quantize(calibrated, QuantConfig(method="int4", group=32), [(IDS, None)])
    assert set(header.errors) == {n for n, m in whole.named_modules() if isinstance(m, nn.Linear)} & set(header.packed)
    assert max(header.errors.values()) <= 1
    before = logits(whole)
    assert (logits(calibrated) - before).norm() < 0.8 * (logits(nearest) - before).norm()


def test_each_block_is_calibrated_on_what_the_quantized_ones_before_it_give(monkeypatch):
    """The Hessian of the second block's first layer is that of what enters it in the finished copy."""
    model, seen = network(), {}
    real = home._round
    monkeypatch.setattr(home, "_round", lambda *words: (seen.update({words[2]: words[3]}), real(*words))[1])
    quantize(model, CHOICES["int4"], [(IDS, None)])
    entered = []
    hook = model.blocks[1].attention.query.register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0]))
    logits(model)
    hook.remove()
    x = entered[0].reshape(-1, 64).double()
    torch.testing.assert_close(seen["blocks.1.attention.query"], x.T @ x, rtol=1e-4, atol=1e-3)
    assert "head" in seen


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("method", ["int8-dynamic", "int4"])
def test_the_header_builds_the_same_shape_again(name, method):
    model = network(NETWORKS[name])
    header = quantize(model, CHOICES[method], [(IDS, None)])
    again = read_header(header.model_dump_json(), "file")
    assert again == header
    with torch.device("meta"):
        empty = Decoder(NETWORKS[name])
    rebuild(empty, again, "file")
    shapes = {n: (t.shape, t.dtype) for n, t in empty.state_dict().items()}
    assert shapes == {n: (t.shape, t.dtype) for n, t in model.state_dict().items()}
    assert all(m.rounds_inputs == (method == "int8-dynamic") for m in empty.modules() if isinstance(m, PackedLinear))


def test_what_is_to_be_kept_is_kept():
    model = network()
    header = quantize(model, QuantConfig(method="int8", tables="keep", keep=("head", "blocks.0.*")))
    assert isinstance(model.head, nn.Linear)
    assert header.left["head.weight"] == "--keep names it"
    assert header.left["embedding.weight"] == "--tables keep"
    assert all(name.startswith("blocks.1.") for name in header.packed)
    tied = network(GPT2)
    kept = quantize(tied, QuantConfig(method="int8", keep=("head",)))
    assert "embedding" not in kept.packed
    assert tied.head.weight is tied.embedding.weight


def test_folded_it_is_a_plain_network_with_the_weights_as_kept():
    model = network()
    quantize(model, CHOICES["int4"], [(IDS, None)])
    before = logits(model)
    again = fold(model)
    again.tie()
    assert is_plain(again)
    assert not any(isinstance(module, PackedTable) for module in again.modules())
    torch.testing.assert_close(logits(again), before)


def test_refusals_are_one_line():
    with pytest.raises(BadInput, match="--corpus"):
        quantize(network(), QuantConfig(method="int4"))
    with pytest.raises(BadInput, match="leave nothing to quantize"):
        quantize(network(), QuantConfig(keep=("*",)))
    model = network()
    quantize(model, QuantConfig())
    with pytest.raises(BadInput, match="only whole weights"):
        quantize(model, QuantConfig())
    for use in (
        lambda: plain(model),
        lambda: adapt(model, AdaptConfig()),
        lambda: adapt(model, AdaptConfig(method="lora")),
    ):
        with pytest.raises(BadInput, match="quantize RUN --undo"):
            use()
    broken = network()
    with torch.no_grad():
        broken.blocks[1].mlp.up.weight[3, 3] = float("nan")
    with pytest.raises(BadInput, match=r"blocks\.1\.mlp\.up\.weight: holds numbers that are not finite"):
        quantize(broken, QuantConfig())
    assert is_plain(broken)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda said: said["packed"].update(nobody={"bits": 8, "group": 64}), "nobody is no layer"),
        (lambda said: said["packed"].update({"blocks.0": {"bits": 8, "group": 64}}), "blocks.0 is no layer"),
        (lambda said: said["packed"]["head"].update(bits=3), "packed.head.bits"),
        (lambda said: said["packed"]["head"].update(group=0), "packed.head.group"),
        (lambda said: said.pop("choices"), "choices"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(change, words):
    said = json.loads(quantize(network(), QuantConfig()).model_dump_json())
    change(said)
    with torch.device("meta"):
        empty = Decoder(SMALL)
    with pytest.raises(BadInput, match=words) as refused:
        rebuild(empty, read_header(json.dumps(said), "a.safetensors"), "a.safetensors")
    assert "a.safetensors" in str(refused.value)
    for text in ("", "[", "[]", "3"):
        with pytest.raises(BadInput, match="damaged"):
            read_header(text, "a.safetensors")


def test_half_of_a_tied_pair_is_refused():
    header = quantize(network(GPT2), QuantConfig())
    packed = {name: kept for name, kept in header.packed.items() if name != "head"}
    with torch.device("meta"):
        empty = Decoder(GPT2)
    with pytest.raises(BadInput, match="one matrix here"):
        rebuild(empty, Header(choices=header.choices, packed=packed, left={}), "file")
