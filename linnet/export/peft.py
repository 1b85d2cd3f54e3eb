"""Adapters of the peft library, both ways: trained there on a transformers model, used here on ours, and back.

A family's fused layer is several of ours with one common way in: its B matrix is cut as its weights are.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from linnet.adapt.config import AdaptConfig
from linnet.adapt.lora import FIRST, Detour, Detoured, all_detoured, detoured, scale_of
from linnet.adapt.peft_file import BODY, CONFIG, PROMPT, WEIGHTS, adapter_config, adapter_tensors
from linnet.adapt.prompt import KeysAndValues, VirtualTokens, add_prefix
from linnet.adapt.targets import layers
from linnet.core.errors import BadInput
from linnet.core.files import json_text, read_json, write_atomic
from linnet.export.hf_families import choose
from linnet.export.hf_tables import TABLES
from linnet.model.decoder import Decoder

MAX_BYTES = 2**20
PARTS = ("lora_A.weight", "lora_B.weight", "lora_magnitude_vector")
COPY = ".base_layer.weight"  # peft adds the frozen weights of a head or table that an adapter is around
# What we cannot express, with the values that mean it is not there.
REFUSED: dict[str, tuple[Any, ...]] = {
    "bias": ("none",),
    "modules_to_save": ([],),
    "lora_bias": (False,),
    "layer_replication": (),
    "alora_invocation_tokens": (),
    "prefix_projection": (False,),
    "target_parameters": ([],),
    "trainable_token_indices": (),
}


class Place(NamedTuple):
    """A linear layer of a family, and ours that it holds, one above the other."""

    theirs: str
    ours: tuple[str, ...]


@torch.no_grad()
def read_peft(folder: Path, model: Decoder, name: str = FIRST) -> AdaptConfig:
    """Put an adapter from peft's files on a network of ours, under a name, and return how it was made.

    It was trained on a transformers model of the same weights, or on a network of ours. Raises BadInput for a kind or a
    choice that we cannot express, and for layers that the network does not have.
    """
    said = read_json(folder / CONFIG, MAX_BYTES)
    if not isinstance(said, dict):
        raise BadInput(f"{folder / CONFIG}: an object of fields was expected")
    for field, allowed in REFUSED.items():
        if said.get(field) not in (*allowed, None):
            raise BadInput(f"{folder / CONFIG}: {field} = {said[field]!r} cannot be expressed here")
    try:
        tensors = {key: t.float() for key, t in load_file(folder / WEIGHTS).items() if not key.endswith(COPY)}
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{folder / WEIGHTS}: cannot be read, cut short or damaged ({error})") from None
    kind = said.get("peft_type")
    if kind in ("PROMPT_TUNING", "PREFIX_TUNING"):
        return _read_prefix(model, tensors, "prompt" if kind == "PROMPT_TUNING" else "prefix", folder)
    if kind != "LORA":
        raise BadInput(
            f"{folder / CONFIG}: peft_type = {kind!r} is not known here, only LORA and prompt and prefix tuning"
        )
    return _read_lora(model, tensors, said, folder, name)


def _read_lora(
    model: Decoder, tensors: dict[str, Tensor], said: dict[str, Any], folder: Path, name: str
) -> AdaptConfig:
    fields = {"rank": "r", "alpha": "lora_alpha", "dropout": "lora_dropout", "rank_stabilized": "use_rslora"}
    chosen = {ours: said[theirs] for ours, theirs in fields.items() if said.get(theirs) is not None}
    config = AdaptConfig.build({"method": "dora" if said.get("use_dora") else "lora", **chosen}, folder / CONFIG)
    places = find_places(model, {_module(key, folder) for key in tensors}, folder)
    own, made = layers(model), dict[str, Detour]()
    for module, ours in places.items():
        rank = _own(said.get("rank_pattern"), module, config.rank)
        scale = scale_of(rank, _own(said.get("alpha_pattern"), module, config.alpha), config.rank_stabilized)
        sizes = [own[layer].out_features for layer in ours]
        down = nn.Parameter(_part(tensors, f"{module}.{PARTS[0]}", (rank, own[ours[0]].in_features), folder))
        ups = _part(tensors, f"{module}.{PARTS[1]}", (sum(sizes), rank), folder).split(sizes)
        lengths: tuple[Tensor | None, ...] = (None,) * len(ours)
        if config.method == "dora":
            lengths = _part(tensors, f"{module}.{PARTS[2]}", (sum(sizes),), folder).split(sizes)
        for layer, up, length in zip(ours, ups, lengths, strict=True):
            made[layer] = Detour(down, len(up), scale, config.dropout, length)
            made[layer].up.copy_(up)
    model.requires_grad_(False)
    for layer, detour in made.items():  # only now: what cannot be read leaves the network as it was
        detoured(model, layer).add(name, detour)
    return config.but(targets=",".join(made))


def _read_prefix(model: Decoder, tensors: dict[str, Tensor], method: str, folder: Path) -> AdaptConfig:
    if tensors.keys() != {PROMPT} or tensors[PROMPT].ndim != 2 or not len(tensors[PROMPT]):
        raise BadInput(f"{folder / WEIGHTS}: one matrix {PROMPT} was expected, not {', '.join(sorted(tensors)[:3])}")
    vectors, shape = tensors[PROMPT], model.config
    width = shape.hidden_size if method == "prompt" else 2 * shape.num_layers * shape.kv_heads * shape.head_width
    if vectors.shape[1] != width:
        raise BadInput(f"{folder / WEIGHTS}: {PROMPT} is {vectors.shape[1]} wide, and {width} fits this network")
    config = AdaptConfig.build({"method": method, "virtual_tokens": len(vectors)}, folder / WEIGHTS)
    model.requires_grad_(False)
    add_prefix(model, config, torch.zeros(len(vectors), dtype=torch.int64))
    assert isinstance(model.prefix, VirtualTokens | KeysAndValues)
    model.prefix.vectors.copy_(vectors)
    return config


def find_places(model: Decoder, modules: set[str], folder: Path) -> dict[str, tuple[str, ...]]:
    """Return {their layer: our layers} for the layers of an adapter, of whatever family; raises BadInput."""
    own = layers(model)
    if modules <= own.keys():
        return {module: (module,) for module in sorted(modules)}
    best: set[str] = modules
    for family, table in TABLES.items():
        known = {place.theirs: place.ours for place in family_places(model, family)}
        known |= {theirs.removeprefix(table.prefix): ours for theirs, ours in known.items()}  # of the body alone
        if modules <= known.keys():
            return {module: known[module] for module in sorted(modules)}
        best = min(best, modules - known.keys(), key=len)
    raise BadInput(f"{folder / WEIGHTS}: {min(best)} is no layer of this network ({len(best)} such); of another model?")


def family_places(model: Decoder, family: str) -> Iterator[Place]:
    """Yield the linear layers of a transformers family that hold linear layers of ours."""
    names = {f"{name}.weight" for name in layers(model)}
    for row in TABLES[family].rows_of(model.config, names):
        if not row.fused:
            yield Place(row.theirs.removesuffix(".weight"), tuple(name.removesuffix(".weight") for name in row.ours))


def write_peft(folder: Path, model: Decoder, config: AdaptConfig, base: str, name: str = FIRST) -> None:
    """Write an adapter for the transformers model that our network exports as, `base` being its name or folder.

    Ours around layers that are one there become one: with a common way in as they are, otherwise side by side in a
    wider one. Raises BadInput for DoRA around a part of such a layer.
    """
    said = adapter_config(model, config, base)
    if config.method in ("prompt", "prefix"):
        _write(folder, said, adapter_tensors(model))
        return
    if config.method not in ("lora", "dora", "qlora"):
        raise BadInput(f"--adapt.method {config.method}: peft has no such adapter; export the model as a whole")
    tensors: dict[str, Tensor] = {}
    ranks, scales = dict[str, int](), dict[str, float]()
    found = {layer: module for layer, module in all_detoured(model) if name in module.detours}
    for place in family_places(model, choose(model.config).family):
        if parts := {layer: found.pop(layer) for layer in place.ours if layer in found}:
            down, up, length, scale = _side_by_side(model, place, parts, name)
            tensors |= {f"{BODY}{place.theirs}.{PARTS[0]}": down, f"{BODY}{place.theirs}.{PARTS[1]}": up}
            if length is not None:
                tensors[f"{BODY}{place.theirs}.{PARTS[2]}"] = length
            ranks[place.theirs], scales[place.theirs] = len(down), scale
    if found:
        raise BadInput(f"{min(found)}: has an adapter and no place in the family; choose other targets")
    stable = config.rank_stabilized
    alphas = {module: scale / scale_of(ranks[module], 1, stable) for module, scale in scales.items()}
    said |= {
        "target_modules": list(ranks),
        "rank_pattern": {module: rank for module, rank in ranks.items() if rank != config.rank},
        "alpha_pattern": {module: alpha for module, alpha in alphas.items() if not math.isclose(alpha, config.alpha)},
        "fan_in_fan_out": choose(model.config).family == "gpt2",
    }
    _write(folder, said, tensors)


def _side_by_side(
    model: Decoder, place: Place, parts: dict[str, Detoured], name: str
) -> tuple[Tensor, Tensor, Tensor | None, float]:
    """Return A, B, magnitudes and scale of their layer: each way in once, each of our B in the rows of its layer."""
    chosen = {layer: module.detours[name] for layer, module in parts.items()}
    detours = {layer: detour for layer, detour in chosen.items() if isinstance(detour, Detour)}
    downs = list({id(detour.down): detour.down for detour in detours.values()}.values())
    turned = any(detour.magnitude is not None for detour in detours.values())
    if turned and (len(downs) > 1 or len(detours) < len(place.ours)):
        raise BadInput(
            f"{place.theirs}: is one layer there; DoRA must be around all of it: choose --adapt.targets c_attn"
        )
    width, scale = sum(map(len, downs)), next(iter(detours.values())).scale
    ups, lengths = [], []
    for layer in place.ours:
        rows = len(_linear(model, layer).weight)
        up = torch.zeros(rows, width)
        if layer in detours:
            detour = detours[layer]
            start = sum(len(down) for down in downs[: [id(down) for down in downs].index(id(detour.down))])
            up[:, start : start + len(detour.down)] = detour.up.detach().cpu() * (detour.scale / scale)
            if detour.magnitude is not None:
                lengths.append(detour.magnitude.detach().cpu())
        ups.append(up)
    down = torch.cat([down.detach().cpu() for down in downs])
    return down.clone(), torch.cat(ups), torch.cat(lengths) if lengths else None, scale


def _linear(model: Decoder, layer: str) -> Any:
    found = model.get_submodule(layer)
    return found.base if isinstance(found, Detoured) else found


def _write(folder: Path, said: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    write_atomic(folder / CONFIG, json_text(said))


def _module(key: str, folder: Path) -> str:
    part = next((part for part in PARTS if key.startswith(BODY) and key.endswith(f".{part}")), None)
    if part is None:
        raise BadInput(f"{folder / WEIGHTS}: {key} is no matrix of a LoRA around a linear layer")
    return key.removeprefix(BODY).removesuffix(f".{part}")


def _own(pattern: Any, module: str, default: Any) -> Any:
    """Return what a pattern of names to numbers says of a module."""
    named = pattern.items() if isinstance(pattern, dict) else ()
    found = [number for name, number in named if f".{module}".endswith(f".{name}")]
    return found[0] if found and isinstance(found[0], int | float) and found[0] > 0 else default


def _part(tensors: dict[str, Tensor], name: str, shape: tuple[int, ...], folder: Path) -> Tensor:
    found = tensors.get(BODY + name)
    if found is None or tuple(found.shape) != shape:
        there = "missing" if found is None else list(found.shape)
        raise BadInput(f"{folder / WEIGHTS}: {name} is {there}, and {list(shape)} fits this network")
    return found
