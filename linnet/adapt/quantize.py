"""From a language model to its quantized copy: layer by layer, each calibrated on what the layers before it now give.

What is kept of it is a header of plain values, by which the same shape is built again for a file to fill.
"""

import fnmatch
import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from linnet.adapt.gptq import Watched, calibrate, error
from linnet.adapt.quant import PackedLinear, PackedTable
from linnet.adapt.quant_config import QuantConfig
from linnet.adapt.surgery import is_plain
from linnet.adapt.targets import LEFT_OUT
from linnet.adapt.whole_numbers import WholeNumbers, fit
from linnet.core.config import Config
from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder

Rows = tuple[Tensor, Tensor | None]  # ids [B, T], and which document each is part of, as `Decoder.forward` takes them
LAYERS_WITH_TABLE = (nn.Linear, nn.Embedding)
MOST_LAYERS = 2**20


class Packed(Config):
    """How the matrix of one module is kept."""

    bits: Literal[4, 8]
    """Bits of a weight."""
    group: int = Field(ge=1, le=2**24)
    """Weights of a row that share a scale."""
    zero_point: bool = False
    """Whether each group has a zero point."""
    rounds_inputs: bool = False
    """Whether what enters the product is rounded to 8 bits."""


class Header(Config):
    """What a file of a quantized copy says of itself."""

    choices: QuantConfig
    """What was asked for."""
    packed: dict[str, Packed] = Field(max_length=MOST_LAYERS)
    """By the name of the module; a head that is the table has the table's."""
    left: dict[str, str] = Field(max_length=MOST_LAYERS)
    """Parameters in full precision, and why."""
    errors: dict[str, float] = Field(default_factory=dict, max_length=MOST_LAYERS)
    """Where calibrated: the error of a layer's output on the calibration text, as a share of nearest rounding's."""


@torch.no_grad()
def quantize(model: Decoder, choices: QuantConfig, rows: Sequence[Rows] = ()) -> Header:
    """Quantize a language model in place and return its header; `rows` are the calibration text.

    They should be as the model learned to read: with the numbers of their documents where it learned them apart.

    Raises BadInput for a network that is no whole one, for weights that are not finite, and where calibration is asked
    for and no text was given.
    """
    if not is_plain(model):
        raise BadInput("only whole weights can be quantized: this model has adapters or packed weights; merge it first")
    if choices.calibrated and not rows:
        raise BadInput("--rounding gptq: needs a text to calibrate on; name one with --corpus, or round to nearest")
    for name, parameter in model.named_parameters():
        if not bool(parameter.isfinite().all()):
            raise BadInput(f"{name}: holds numbers that are not finite; nothing was quantized")
    training = model.training
    model.eval()
    header = Header(choices=choices, packed=_plan(model, choices), left={})
    errors: dict[str, float] = {}
    if choices.calibrated:
        _calibrated(model, header, rows, errors)
    for name in header.packed:
        _pack(model, header, name)
    _share_table(model)
    model.train(training)
    return header.but(left=_left(model, choices), errors=errors)


def rebuild(model: Decoder, header: Header, where: object) -> Decoder:
    """Put empty packed modules where a header says, in a network on the meta device; a file fills them.

    Raises BadInput naming `where` for a module that this architecture does not have.
    """
    if model.config.tie_embeddings and len({"embedding", "head"} & header.packed.keys()) == 1:
        raise BadInput(f"{where}: embedding and head are one matrix here, and only one of them is packed")
    for name, kept in header.packed.items():
        try:
            old = model.get_submodule(name)
        except AttributeError:
            old = None
        if not isinstance(old, LAYERS_WITH_TABLE):
            raise BadInput(f"{where}: {name} is no layer of this architecture")
        matrix = WholeNumbers(old.weight.shape, kept.bits, kept.group, kept.zero_point, "meta")
        _put(model, name, _packed(old, matrix, kept))
    _share_table(model)
    return model


def read_header(text: str, where: object) -> Header:
    """Return the header in a file's metadata; raises BadInput naming the file."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise BadInput(f"{where}: damaged (it does not say how it was quantized)")
    return Header.build(values, where=str(where))


def settle(model: nn.Module) -> None:
    """Make real what a file does not hold, after it has filled a network that was built without memory."""
    for module in model.modules():
        if isinstance(module, PackedTable):
            module.weight = torch.empty(0, module.embedding_dim)


def _plan(model: Decoder, choices: QuantConfig) -> dict[str, Packed]:
    """Say how each module is to be kept, in the order of the network; a tied head goes with its table."""
    found = {}
    for name, module in model.named_modules():
        if not isinstance(module, LAYERS_WITH_TABLE) or _why_left(model, name, module, choices):
            continue
        width = module.weight.shape[1]
        if isinstance(module, nn.Embedding) or _is_table(model, module):
            found[name] = Packed(bits=8, group=width, rounds_inputs=_rounds(module, choices))
        elif choices.bits == 4:
            found[name] = Packed(bits=4, group=choices.group, zero_point=choices.zero_point)
        else:
            found[name] = Packed(bits=8, group=width, rounds_inputs=_rounds(module, choices))
    if not found:
        raise BadInput("--keep and --tables leave nothing to quantize")
    return found


def _rounds(module: nn.Module, choices: QuantConfig) -> bool:
    return isinstance(module, nn.Linear) and choices.method == "int8-dynamic"


def _why_left(model: Decoder, name: str, module: nn.Module, choices: QuantConfig) -> str:
    """Say why a matrix stays in full precision; empty if it does not."""
    is_table = isinstance(module, nn.Embedding) or _is_table(model, module)
    # One matrix under two names stays under both.
    both = ("embedding", "head") if model.config.tie_embeddings and name in ("embedding", "head") else (name,)
    if any(_meant(one, word) for one in both for word in choices.keep):
        return "--keep names it"
    if name.rpartition(".")[2] in LEFT_OUT:
        return "a few numbers a head or an expert, read as they are"
    if is_table and choices.tables == "keep":
        return "--tables keep"
    return "a few numbers a head" if name.startswith("relative") else ""


def _meant(name: str, word: str) -> bool:
    return f".{word}." in f".{name}." or fnmatch.fnmatchcase(name, word)


def _is_table(model: Decoder, module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) and module is model.head and model.config.tie_embeddings


def _left(model: Decoder, choices: QuantConfig) -> dict[str, str]:
    """Say of each parameter in full precision why it is."""
    found, seen = {}, set()
    for name, module in model.named_modules():
        for part, parameter in module.named_parameters(prefix=name, recurse=False):
            if id(parameter) in seen:
                continue
            seen.add(id(parameter))
            why = _why_left(model, name, module, choices) if isinstance(module, LAYERS_WITH_TABLE) else ""
            small = "a vector: biases, gains and mixes are hardly any of the bytes"
            found[part] = small if parameter.ndim < 2 else why or "part of no linear layer or table"
    return found


def _pack(model: Decoder, header: Header, name: str) -> None:
    """Put the packed module in place of a plain one, at the nearest levels; one that was calibrated stays."""
    module, kept = model.get_submodule(name), header.packed[name]
    if isinstance(module, LAYERS_WITH_TABLE):
        matrix = WholeNumbers.of(module.weight.detach(), kept.bits, kept.group, kept.zero_point)
        _put(model, name, _packed(module, matrix, kept))


def _packed(old: nn.Module, matrix: WholeNumbers, kept: Packed) -> PackedLinear | PackedTable:
    if isinstance(old, nn.Embedding):
        return PackedTable(matrix).to(old.weight.device)
    assert isinstance(old, nn.Linear)
    made = PackedLinear(old, "int8" if kept.bits == 8 else "int4", matrix=matrix).train(old.training)
    made.rounds_inputs = kept.rounds_inputs
    return made


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    room, _, last = name.rpartition(".")
    place = model.get_submodule(room)
    if isinstance(place, nn.ModuleDict):
        place[last] = module
    else:
        setattr(place, last, module)


def _share_table(model: Decoder) -> None:
    """Let a tied head multiply by the very table that ids are looked up in."""
    if model.config.tie_embeddings and isinstance(model.embedding, PackedTable):
        assert isinstance(model.head, PackedLinear)
        model.head.matrix = model.embedding.matrix


def _calibrated(model: Decoder, header: Header, rows: Sequence[Rows], errors: dict[str, float]) -> None:
    """Round the linear layers block by block, each block fed by those before it as they are now."""
    for name in [name for name in header.packed if isinstance(model.get_submodule(name), nn.Embedding)]:
        _pack(model, header, name)  # what tables give from now on is what the first block is to expect
    if model.config.tie_embeddings and "head" in header.packed:
        _pack(model, header, "head")  # is the table itself, and stays at its nearest levels
    calls = _calls(model, rows)
    for number, block in enumerate(model.blocks):
        of_block = {
            name: module
            for name, module in block.named_modules(prefix=f"blocks.{number}")
            if isinstance(module, nn.Linear) and name in header.packed
        }
        watched = {name: Watched(module) for name, module in of_block.items()}
        for x, rest in calls:
            block(x, *rest[number])
        for name, look in watched.items():
            look.end()
            _round(model, header, name, look.hessian, errors)
        calls = [(block(x, *rest[number]), rest) for x, rest in calls]
    if isinstance(model.head, nn.Linear) and "head" in header.packed:
        look = Watched(model.head)
        for x, _ in calls:
            model.head(x if model.config.post_norm else model.norm(x))
        look.end()
        _round(model, header, "head", look.hessian, errors)


def _calls(model: Decoder, rows: Sequence[Rows]) -> list[tuple[Tensor, list[tuple[Any, ...]]]]:
    """Return for each batch what enters the first block, and what each block is called with besides."""
    found = []
    for ids, documents in rows:
        seen: list[tuple[Any, ...]] = []
        look = partial(_keep_inputs, seen)
        hooks = [block.register_forward_pre_hook(look) for block in model.blocks]
        try:
            model.states(ids, documents=documents)
        finally:
            for hook in hooks:
                hook.remove()
        found.append((seen[0][0], [inputs[1:] for inputs in seen]))
    return found


def _keep_inputs(seen: list[tuple[Any, ...]], _: nn.Module, inputs: tuple[Any, ...]) -> None:
    seen.append(inputs)


def _round(model: Decoder, header: Header, name: str, hessian: Tensor, errors: dict[str, float]) -> None:
    layer, kept = model.get_submodule(name), header.packed[name]
    assert isinstance(layer, nn.Linear)
    weight = layer.weight.detach()
    matrix = WholeNumbers(weight.shape, kept.bits, kept.group, kept.zero_point, str(weight.device))
    grid, groups = fit(weight, kept.bits, kept.group, kept.zero_point), matrix.groups()
    codes = calibrate(weight, hessian, grid, groups, header.choices.damping)
    before = float(error(weight, grid.numbers(grid.codes(weight.double(), groups), groups), hessian).sum())
    after = float(error(weight, grid.numbers(codes, groups), hessian).sum())
    errors[name] = after / before if before > 0 else 1.0
    matrix.put(codes, grid)
    _put(model, name, _packed(layer, matrix, kept))


def packed_modules(model: nn.Module) -> Iterator[tuple[str, PackedLinear | PackedTable]]:
    """Yield the packed modules of a network by name."""
    for name, module in model.named_modules():
        if isinstance(module, PackedLinear | PackedTable):
            yield name, module
