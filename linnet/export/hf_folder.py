"""Write a network as the folder of a transformers model: config.json, safetensors in shards, generation_config.json."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Size, Tensor

from linnet.core.errors import BadInput
from linnet.core.files import json_text, write_atomic
from linnet.export.hf_families import Choice
from linnet.export.hf_tables import TABLES, Row
from linnet.model.decoder import Decoder

VERSION = "4.57.0"  # of the oldest transformers that these fields are written for
NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}


def write_network(
    folder: Path, model: Decoder, choice: Choice, dtype: torch.dtype, shard_bytes: int, tokens: dict[str, Any]
) -> None:
    """Write config.json and the weights as `dtype`, in files of at most `shard_bytes` (a larger tensor has its own).

    `tokens` are the ids that begin, end and fill rows, for config.json and generation_config.json.
    """
    about = {**choice.fields, **tokens, "dtype": NAMES[dtype], "torch_dtype": NAMES[dtype]}
    write_atomic(folder / "config.json", json_text({**about, "use_cache": True, "transformers_version": VERSION}))
    write_atomic(folder / "generation_config.json", json_text({**tokens, "transformers_version": VERSION}))
    rows, shapes = _rows(model, choice)
    sizes = {row.theirs: Size(row.their_shape(shapes)).numel() * dtype.itemsize for row in rows}
    shards = list(_shards(sizes, shard_bytes))
    places: dict[str, str] = {}
    for number, names in enumerate(shards, start=1):
        file = "model.safetensors" if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}.safetensors"
        inside = [row for row in rows if row.theirs in set(names)]
        save_file(_tensors(model, inside, shapes, dtype), folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(names, file)
    if len(shards) > 1:
        index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": places}
        write_atomic(folder / "model.safetensors.index.json", json_text(index))


def _rows(model: Decoder, choice: Choice) -> tuple[list[Row], dict[str, Size]]:
    """Return the family's rows for this network, and the shapes of ours that they are made of.

    Raises BadInput for a network with more tensors than its config says: an adapter that could not be folded in.
    """
    tied = {"head.weight"} if choice.config.tie_embeddings else set()
    with torch.device("meta"):
        whole = Decoder(choice.config).state_dict()
    shapes = {name: tensor.shape for name, tensor in whole.items() if name not in tied}
    if more := sorted(set(model.state_dict()) - tied - shapes.keys()):
        raise BadInput(
            f"{more[0]} is of an adapter that stays beside the weights; first make one model: linnet merge RUN"
        )
    rows = TABLES[choice.family].rows_of(choice.config, set(shapes))
    assert {name for row in rows for name in row.ours} == shapes.keys(), "the table does not hold the whole model"
    return rows, shapes


def _shards(sizes: dict[str, int], most: int) -> Iterator[list[str]]:
    """Yield the names of each file, filled one after the other."""
    names: list[str] = []
    room = most
    for name, size in sizes.items():
        if names and size > room:
            yield names
            names, room = [], most
        names.append(name)
        room -= size
    yield names


def _tensors(model: Decoder, rows: list[Row], shapes: dict[str, Size], dtype: torch.dtype) -> dict[str, Tensor]:
    """Return theirs by name, put together from ours."""
    own, found = model.state_dict(), {}
    for row in rows:
        parts = {name: own[name] if name in own else neutral(name, shapes[name]) for name in row.ours}
        whole = row.to_theirs({name: part.detach().to("cpu", dtype) for name, part in parts.items()})
        found[row.theirs] = whole.contiguous()
    return found


def neutral(name: str, shape: Size) -> Tensor:
    """Return what a tensor that ours leaves out must hold to change nothing: a bias of 0, a gain of 1."""
    assert name.endswith("bias") or "norm" in name or name.endswith("_gain"), name
    return torch.zeros(shape) if name.endswith("bias") else torch.ones(shape)
