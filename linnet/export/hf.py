"""Read a transformers model (GPT-2, Llama, Qwen, Mixtral, gpt-oss) into our decoder, every tensor accounted for."""

import re
from collections.abc import Iterable
from functools import reduce
from pathlib import Path

import torch

from linnet.core.errors import BadInput
from linnet.core.files import read_json
from linnet.export.fields import Fields
from linnet.export.hf_config import model_config
from linnet.export.hf_files import CONFIG_MAX_BYTES, Stored, find_folder, open_tensors
from linnet.export.hf_tables import TABLES, Experts, Table
from linnet.model.decoder import Decoder


@torch.no_grad()
def import_hf(
    source: str | Path, device: torch.device | str = "cpu", dtype: torch.dtype | None = torch.float32
) -> Decoder:
    """Return the model of a transformers folder or hub name, in evaluation mode, with the logits that it has there.

    Its weights are of `dtype`, or of the type that is stored. Only config.json and safetensors are read, never pickle.
    Raises BadInput in one line for a field that we cannot express, and for a tensor that is missing, unexpected or
    misshapen.
    """
    folder = find_folder(source)
    fields = read_fields(folder)
    config = model_config(fields)
    table = TABLES[fields.need("model_type")]
    stored = _their_names(open_tensors(folder), table)
    parts = config.num_layers * (1 if table.experts is None else config.num_experts)
    if parts > len(stored):  # before a network of that many modules is built
        raise BadInput(
            f"{folder}: config.json speaks of {parts:,} layers or experts, of {len(stored):,} tensors in all"
        )
    with torch.device("meta"):
        model = Decoder(config)
    own = model.state_dict()
    if config.tie_embeddings:
        own.pop("head.weight")
    shapes = {name: tensor.shape for name, tensor in own.items()}
    rows = table.rows_of(config, set(shapes))
    assert {name for row in rows for name in row.ours} == set(shapes), "the table does not fill the whole model"
    if config.tie_embeddings:
        _check_tied_head(stored, table, folder)
    _check(stored, {row.theirs: row.their_shape(shapes) for row in rows}, folder)
    dtype = dtype or _widest(stored[row.theirs].dtype for row in rows)
    # Only now is memory taken: sizes in a config that the files do not bear out cost nothing.
    tensors = {}
    for row in rows:
        for name, tensor in row.to_ours(stored[row.theirs].read(), shapes).items():
            # Into memory of its own, aligned as PyTorch does it: products of views may differ in the last bit.
            tensors[name] = tensor.to(device=device, dtype=dtype).clone(memory_format=torch.contiguous_format)
    model.load_state_dict(tensors, strict=False, assign=True)  # a tied head has no tensor of its own
    model.tie()
    return model.eval()


def read_fields(folder: Path) -> Fields:
    """Return the fields of a folder's config.json."""
    return Fields(read_json(folder / "config.json", CONFIG_MAX_BYTES), folder / "config.json")


def _widest(types: Iterable[torch.dtype]) -> torch.dtype:
    """Return the type that holds all the others; float64 is not needed by anything here."""
    widest = reduce(torch.promote_types, types)
    return torch.float32 if widest == torch.float64 else widest


def _their_names(stored: dict[str, Stored], table: Table) -> dict[str, Stored]:
    """Bring stored names to the table's: with the body's prefix, without buffers, experts one by one."""
    if not any(name.startswith(table.prefix) for name in stored):
        stored = {name if name.startswith("lm_head.") else table.prefix + name: at for name, at in stored.items()}
    named: dict[str, Stored] = {}
    for name, tensor in stored.items():
        if not table.buffers.fullmatch(name):
            named |= {name: tensor} if table.experts is None else _one_by_one(name, tensor, table.experts)
    return named


_FUSED = re.compile(r"model\.layers\.(\d+)\.mlp\.(gate\.weight|experts\.gate_up_proj|experts\.down_proj)")


def _one_by_one(name: str, tensor: Stored, names: Experts) -> dict[str, Stored]:
    """Name the pieces of transformers 5's fused experts ([E, 2F, D] and [E, D, F]) as the family's files name them."""
    fused = _FUSED.fullmatch(name)
    if fused is None:
        return {name: tensor}
    if fused[2] == "gate.weight":
        return {names.router.format(layer=fused[1]): tensor}
    shape = tensor.shape
    if len(shape) != 3:
        return {name: tensor}  # refused as unexpected
    pieces = {names.down: (0, shape[1])}
    if fused[2] == "experts.gate_up_proj":
        pieces = {names.gate: (0, shape[1] // 2), names.up: (shape[1] // 2, shape[1])}
    return {
        part.format(layer=fused[1], expert=expert): Stored(tensor.file, tensor.name, (expert, start, end))
        for expert in range(shape[0])
        for part, (start, end) in pieces.items()
    }


def _check_tied_head(stored: dict[str, Stored], table: Table, folder: Path) -> None:
    """Take a stored head out of a tied model; raises BadInput when it is not the embedding after all."""
    head = stored.pop("lm_head.weight", None)
    (embedding,) = (row.theirs for row in table.rows if row.ours == ("embedding.weight",))
    if head is not None and embedding in stored and not torch.equal(head.read(), stored[embedding].read()):
        raise BadInput(f"{folder}: tie_word_embeddings is set, but lm_head.weight differs from {embedding}")


def _check(stored: dict[str, Stored], expected: dict[str, list[int]], folder: Path) -> None:
    if missing := sorted(expected.keys() - stored.keys()):
        raise BadInput(f"{folder}: has no tensor {missing[0]} ({len(missing)} missing) for its config.json")
    if unexpected := sorted(stored.keys() - expected.keys()):
        raise BadInput(f"{folder}: tensor {unexpected[0]} is unexpected ({len(unexpected)} such) for its config.json")
    for name, shape in expected.items():
        if stored[name].shape != shape:
            raise BadInput(f"{folder}: tensor {name} has shape {stored[name].shape}, its config.json asks for {shape}")
        if not stored[name].is_float:
            raise BadInput(f"{folder}: tensor {name} is not of a plain floating type (quantized weights are not read)")
