"""The tables fill each network completely, once, and can be read backwards."""

import pytest
import torch

from linnet.export.hf_tables import TABLES, Row
from tests.model.variants import GPT2, LLAMA, MIXTRAL, QWEN3, build

QWEN3_MOE = {**QWEN3, "num_experts": 4, "expert_size": 6, "moe_every": 2}
GPT_OSS = {
    **{**LLAMA, "activation": "swiglu_clamped", "attention_bias": True, "mlp_bias": True, "sink_logits": True},
    **{"num_experts": 3, "router_bias": True},
}

FAMILIES = {
    "gpt2": [GPT2, {**GPT2, "tie_embeddings": False}],
    "llama": [LLAMA, {**LLAMA, "attention_bias": True, "mlp_bias": True, "tie_embeddings": True}],
    "qwen3": [QWEN3],
    "mixtral": [MIXTRAL],
    "qwen2": [{**LLAMA, "attention_bias": True, "attention_output_bias": False}],
    "qwen3_moe": [QWEN3_MOE],
    "gpt_oss": [GPT_OSS],
}


@pytest.mark.parametrize("family", TABLES)
def test_every_tensor_of_ours_is_named_exactly_once(family):
    for choices in FAMILIES[family]:
        model = build(**choices)
        names = {name for name, _ in model.named_parameters()}
        rows = TABLES[family].rows_of(model.config, names)
        ours = [name for row in rows for name in row.ours]
        assert sorted(ours) == sorted(names)
        assert len({row.theirs for row in rows}) == len(rows)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_row_cuts_what_its_inverse_stacks(transposed):
    row = Row("theirs", ("query", "key", "value"), transposed)
    tensors = {"query": torch.randn(6, 5), "key": torch.randn(2, 5), "value": torch.randn(3, 5)}
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    stacked = torch.cat(list(tensors.values()))
    theirs = stacked.T if transposed else stacked
    assert list(theirs.shape) == row.their_shape(shapes)
    cut = row.to_ours(theirs, shapes)
    assert all(torch.equal(cut[name], tensor) for name, tensor in tensors.items())
    assert torch.equal(row.to_theirs(tensors), theirs)


def test_fused_experts_take_turns():
    names = tuple(f"{expert}.{part}" for expert in "abc" for part in ("gate", "up"))
    row, bias = (Row(kind, names, fused=2) for kind in ("weights", "biases"))
    tensors = {name: torch.randn(5, 4) for name in names}
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    theirs = row.to_theirs(tensors)
    assert list(theirs.shape) == row.their_shape(shapes) == [3, 4, 10]
    assert torch.equal(theirs[1, :, 6], tensors["b.gate"][3])
    assert torch.equal(theirs[1, :, 7], tensors["b.up"][3])
    cut = row.to_ours(theirs, shapes)
    assert all(torch.equal(cut[name], tensor) for name, tensor in tensors.items())
    flat = {name: tensor[:, 0] for name, tensor in tensors.items()}
    assert torch.equal(bias.to_theirs(flat), theirs[:, 0])
    assert bias.their_shape({name: tensor.shape for name, tensor in flat.items()}) == [3, 10]
    assert torch.equal(bias.to_ours(theirs[:, 0], {})["c.up"], flat["c.up"])


def test_a_bias_is_a_row_of_one_dimension():
    row = Row("theirs", ("query", "key"))
    shapes = {"query": torch.Size([4]), "key": torch.Size([2])}
    assert row.their_shape(shapes) == [6]
    assert row.to_ours(torch.arange(6), shapes)["key"].tolist() == [4, 5]
