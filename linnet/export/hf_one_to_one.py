"""Families whose tensors are ours under other names, one to one: read and written by a table of names (T5, BERT)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from linnet.core.errors import BadInput
from linnet.core.files import json_text, write_atomic
from linnet.export.hf_files import Stored
from linnet.model.config import ModelConfig
from linnet.model.network import Network, build


@torch.no_grad()
def read_network(
    config: ModelConfig,
    stored: Mapping[str, Stored],
    names: Mapping[str, str],
    folder: Path,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Network:
    """Return a network of this config with stored tensors; `names` says of each of theirs which of ours it is.

    Raises BadInput for a tensor that is missing, unexpected, misshapen or not of plain numbers.
    """
    layers = config.num_layers + (config.encoder_layers or 0)
    if layers > len(stored):  # before a network of so many modules is built
        raise BadInput(f"{folder}: config.json speaks of {layers:,} layers, of {len(stored):,} tensors in all")
    with torch.device("meta"):
        model = build(config).to(dtype)
    own = {name: tensor for name, tensor in model.state_dict().items() if name not in model.copies()}
    assert set(names.values()) == own.keys(), "the table does not fill the whole network"
    if missing := sorted(names.keys() - stored.keys()):
        raise BadInput(f"{folder}: has no tensor {missing[0]} ({len(missing)} missing) for its config.json")
    if unexpected := sorted(stored.keys() - names.keys()):
        raise BadInput(f"{folder}: tensor {unexpected[0]} is unexpected ({len(unexpected)} such) for its config.json")
    for theirs, ours in names.items():
        if stored[theirs].shape != list(own[ours].shape):
            shapes = f"{stored[theirs].shape}, its config.json asks for {list(own[ours].shape)}"
            raise BadInput(f"{folder}: tensor {theirs} has shape {shapes}")
        if not stored[theirs].is_float:
            raise BadInput(
                f"{folder}: tensor {theirs} is not of a plain floating type (quantized weights are not read)"
            )
    # Into memory of their own, aligned as PyTorch does it: products of views may differ in the last bit.
    tensors = {
        ours: stored[theirs].read().to(device=device, dtype=dtype).clone(memory_format=torch.contiguous_format)
        for theirs, ours in names.items()
    }
    model.load_state_dict(tensors, strict=False, assign=True)  # copies have no tensor of their own
    model.tie()
    return model.eval()


def write_network(
    model: Network, names: Mapping[str, str], fields: Mapping[str, Any], folder: Path, **more: Mapping[str, Any]
) -> None:
    """Write config.json, model.safetensors under their names, and further JSON files by name, into a folder."""
    own = model.state_dict()
    tensors = {theirs: own[ours].detach().cpu().contiguous() for theirs, ours in names.items()}
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "model.safetensors", save(tensors, metadata={"format": "pt"}))
    write_atomic(folder / "config.json", json_text(dict(fields)))
    for name, values in more.items():
        write_atomic(folder / f"{name}.json", json_text(dict(values)))


def refuse_what_is_lost(config: ModelConfig, again: ModelConfig, family: str) -> None:
    """Raise BadInput, naming the first field, when a network read back from the family's fields would be another."""
    config, again = _spelled_out(config), _spelled_out(again)
    for name in ModelConfig.model_fields:
        if name not in ("dropout", "context_length") and getattr(config, name) != getattr(again, name):
            raise BadInput(
                f"{name} = {getattr(config, name)!r} cannot be said in {family}'s config.json, which means "
                f"{getattr(again, name)!r}; only networks of its family can be exported to it"
            )


def _spelled_out(config: ModelConfig) -> ModelConfig:
    """Return the config with its defaults in numbers: left out or written down, they mean the same network."""
    encoder = (config.encoder_layers or config.num_layers) if config.kind == "encoder_decoder" else None
    sizes = {"head_size": config.head_width, "mlp_size": config.mlp_width, "num_kv_heads": config.kv_heads}
    return config.but(encoder_layers=encoder, **sizes)


def stack_names(
    layers: int, theirs: str, ours: str, parts: Mapping[str, str], kinds: tuple[str, ...] = ("weight",)
) -> dict[str, str]:
    """Return the names of the parts of numbered layers, theirs to ours; `{}` in the prefixes is the layer's number."""
    return {
        f"{theirs.format(layer)}.{their}.{kind}": f"{ours.format(layer)}.{our}.{kind}"
        for layer in range(layers)
        for their, our in parts.items()
        for kind in kinds
    }
