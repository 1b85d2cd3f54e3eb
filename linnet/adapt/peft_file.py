"""What surgery put in, as peft's files have it: adapter_config.json, and the tensors of adapter_model.safetensors."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from linnet.adapt.config import AdaptConfig
from linnet.adapt.lora import FIRST, Detour, all_detoured
from linnet.adapt.prompt import KeysAndValues, VirtualTokens
from linnet.adapt.surgery import added
from linnet.core.errors import BadInput

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
BODY = "base_model.model."
PROMPT = "prompt_embeddings"


def adapter_config(model: nn.Module, config: AdaptConfig, base: str) -> dict[str, Any]:
    """Return peft's adapter_config.json for what a method put into a network; `base` is what it belongs to."""
    shared = {"base_model_name_or_path": base, "task_type": "CAUSAL_LM", "inference_mode": True}
    if config.method in ("prompt", "prefix"):
        return {**shared, **_prefix_config(model, config)}
    whole = sorted({name.rpartition(".")[0] for name in whole_parameters(model)})
    return {
        **shared,
        "peft_type": "LORA",
        "r": config.rank,
        "lora_alpha": config.alpha,
        "lora_dropout": config.dropout,
        "use_rslora": config.rank_stabilized,
        "use_dora": config.method == "dora",
        "target_modules": [name for name, _ in all_detoured(model)],
        "modules_to_save": whole or None,
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
    }


def adapter_tensors(model: nn.Module, adapter: str = FIRST) -> dict[str, Tensor]:
    """Return by peft's names the tensors of an adapter of this name, and of what learns whole beside it."""
    named = {name: parameter.detach().cpu().contiguous().clone() for name, parameter in _named(model, adapter).items()}
    if not named:
        raise ValueError(f"no adapter {adapter} is in this network")
    return named


@torch.no_grad()
def take_tensors(model: nn.Module, tensors: dict[str, Tensor], where: Path, adapter: str = FIRST) -> None:
    """Put an adapter's tensors in their places; raises BadInput for one that is missing, unknown or misshapen."""
    own = _named(model, adapter)
    if missing := sorted(own.keys() - tensors.keys()):
        raise BadInput(f"{where}: has no {missing[0]} ({len(missing)} missing); no adapter of this network")
    if unknown := sorted(tensors.keys() - own.keys()):
        raise BadInput(f"{where}: {unknown[0]} is unknown here ({len(unknown)} unknown); no adapter of this network")
    for name, parameter in own.items():
        if tensors[name].shape != parameter.shape or not tensors[name].is_floating_point():
            found = f"{list(tensors[name].shape)} of {tensors[name].dtype}"
            raise BadInput(f"{where}: {name} is {found}, and {list(parameter.shape)} fits here")
        parameter.copy_(tensors[name])


def whole_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return what learns besides what was added, by name."""
    own = {id(parameter) for parameter in added(model)}
    return {name: p for name, p in model.named_parameters() if p.requires_grad and id(p) not in own}


def _named(model: nn.Module, adapter: str) -> dict[str, nn.Parameter]:
    named: dict[str, nn.Parameter] = {}
    for name, layer in all_detoured(model):
        if adapter in layer.detours:
            detour = layer.detours[adapter]
            assert isinstance(detour, Detour)
            named[f"{BODY}{name}.lora_A.weight"] = detour.down
            named[f"{BODY}{name}.lora_B.weight"] = detour.up
            if detour.magnitude is not None:
                named[f"{BODY}{name}.lora_magnitude_vector"] = detour.magnitude
    for module in model.modules():
        if isinstance(module, VirtualTokens | KeysAndValues) and module.vectors.requires_grad:
            named[PROMPT] = module.vectors
    return named | {BODY + name: parameter for name, parameter in whole_parameters(model).items()}


def _prefix_config(model: Any, config: AdaptConfig) -> dict[str, Any]:
    shape = model.config
    prefix = config.method == "prefix"
    heads = shape.kv_heads if prefix else shape.num_heads
    more = {"prefix_projection": False, "encoder_hidden_size": shape.hidden_size} if prefix else {}
    return {
        "peft_type": "PREFIX_TUNING" if prefix else "PROMPT_TUNING",
        "num_virtual_tokens": config.virtual_tokens,
        "token_dim": heads * shape.head_width if prefix else shape.hidden_size,
        "num_transformer_submodules": 1,
        "num_attention_heads": heads,
        "num_layers": shape.num_layers,
        **more,
    }
