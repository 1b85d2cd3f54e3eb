"""Adapters as peft's files name them: every tensor there and back, and nothing else taken."""

from pathlib import Path

import pytest
import torch

from linnet.adapt.config import AdaptConfig
from linnet.adapt.peft_file import adapter_config, adapter_tensors, take_tensors, whole_parameters
from linnet.adapt.surgery import adapt
from linnet.core.errors import BadInput
from tests.adapt.networks import learn, logits, network

WHERE = Path("adapter_model.safetensors")


def made(method, **more):
    config = AdaptConfig(method=method, rank=2, virtual_tokens=3, **more)
    return adapt(network(), config, whole=("head",) if method == "dora" else ()), config


@pytest.mark.parametrize("method", ["lora", "dora", "qlora", "prompt", "prefix", "head"])
def test_every_tensor_goes_there_and_back(method):
    model, _ = made(method)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.2 * torch.randn(parameter.shape))
    tensors = adapter_tensors(model)
    assert sum(tensor.numel() for tensor in tensors.values()) == sum(
        p.numel() for p in model.parameters() if p.requires_grad
    )
    other, _ = made(method)
    assert not torch.equal(logits(other), logits(model))
    take_tensors(other, tensors, WHERE)
    assert torch.equal(logits(other), logits(model))


def test_names_are_those_of_peft():
    model, config = made("dora", targets="query")
    names = set(adapter_tensors(model))
    layer = "base_model.model.blocks.0.attention.query"
    assert {f"{layer}.lora_A.weight", f"{layer}.lora_B.weight", f"{layer}.lora_magnitude_vector"} <= names
    assert "base_model.model.head.weight" in names
    assert set(whole_parameters(model)) == {"head.weight"}
    said = adapter_config(model, config, "runs/base")
    assert (said["r"], said["use_dora"], said["base_model_name_or_path"]) == (2, True, "runs/base")
    assert said["target_modules"] == ["blocks.0.attention.query", "blocks.1.attention.query"]
    assert said["modules_to_save"] == ["head"]
    assert set(adapter_tensors(made("prefix")[0])) == {"prompt_embeddings"}


def test_a_named_one_of_several_is_saved_alone():
    from linnet.adapt.lora import add_detours

    model, config = made("lora")
    add_detours(model, config.but(targets="mlp"), torch.Generator().manual_seed(0), "second")
    learn(model, "second")
    assert len(adapter_tensors(model, "second")) == 8 < len(adapter_tensors(model))
    with pytest.raises(ValueError, match="no adapter third"):
        adapter_tensors(network().requires_grad_(False), "third")


def test_what_does_not_fit_is_one_line():
    model, _ = made("lora")
    good = adapter_tensors(model)
    name = min(good)
    cases = [
        ({key: t for key, t in good.items() if key != name}, "has no .*1 missing"),
        (good | {"base_model.model.x.lora_A.weight": torch.zeros(1)}, "x.lora_A.weight is unknown"),
        (good | {name: torch.zeros(3, 64)}, r"is \[3, 64\] of torch.float32, and \[2, 64\] fits"),
        (good | {name: torch.zeros(2, 64, dtype=torch.int8)}, "of torch.int8"),
    ]
    before = logits(model)
    for tensors, words in cases:
        with pytest.raises(BadInput, match=words) as caught:
            take_tensors(model, tensors, WHERE)
        assert "\n" not in str(caught.value)
    assert torch.equal(logits(model), before)
