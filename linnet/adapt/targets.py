"""Which layers of a network are meant: by name, by room, by full name, by pattern, or by what GPT-2 and Llama say."""

import fnmatch
from collections.abc import Iterable

from torch import nn

from linnet.adapt.quant import PackedLinear
from linnet.core.errors import BadInput, nearest

# Read as a matrix, or a few numbers a head: a detour around them would do nothing, or hardly be narrower.
LEFT_OUT = ("router", "value_gate")
TOGETHER = {"c_attn": ("query", "key", "value")}  # layers with one common way in, by the name of the fused one
ELSEWHERE = {
    "q_proj": ("query",), "k_proj": ("key",), "v_proj": ("value",), "o_proj": ("output",),
    "gate_proj": ("gate",), "up_proj": ("up",), "down_proj": ("down",),
    "c_fc": ("up",), "c_proj": ("output", "down"), "all-linear": ("attention", "mlp"),
}  # fmt: skip


def layers(model: nn.Module) -> dict[str, nn.Linear | PackedLinear]:
    """Return every linear layer by name that a detour can go around, in order; no head that is a table too."""
    kinds = (nn.Linear, PackedLinear)
    # What has detours already is the base of the layer that stands in its place.
    found = {name.removesuffix(".base"): m for name, m in model.named_modules() if isinstance(m, kinds)}
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    return {
        name: layer
        for name, layer in found.items()
        if name.rpartition(".")[2] not in LEFT_OUT and not (isinstance(layer, nn.Linear) and id(layer.weight) in tables)
    }


def find_groups(model: nn.Module, targets: str) -> list[tuple[str, ...]]:
    """Return the layers that a comma-separated list of targets names, in groups with a common way in.

    Raises BadInput for a target that names none, with the nearest that does.
    """
    names, groups = list(layers(model)), dict[str, tuple[str, ...]]()
    for target in filter(None, (word.strip() for word in targets.split(","))):
        found = _fused(names, target) or [(name,) for name in names if meant(name, target)]
        if not found:
            near = nearest(target, [*_words(names), *TOGETHER, *ELSEWHERE])
            raise BadInput(f"--adapt.targets {target}: no such layer; there are {', '.join(_words(names))}.{near}")
        for group in found:
            for name in group:
                groups.setdefault(name, group)
    if not groups:
        raise BadInput("--adapt.targets: names no layer; give some, such as attention,mlp")
    return [group for name in names if (group := groups.get(name)) is not None and group[0] == name]


def meant(name: str, target: str) -> bool:
    """Say whether a target means the layer of this name: some of its parts in a row, or a pattern of all of it."""
    wanted = ELSEWHERE.get(target, (target,))
    return any(f".{one}." in f".{name}." or fnmatch.fnmatchcase(name, one) for one in wanted)


def _fused(names: list[str], target: str) -> list[tuple[str, ...]]:
    parts = TOGETHER.get(target, ())
    rooms = [name.removesuffix(parts[0]) for name in names if parts and name.endswith(f".{parts[0]}")]
    groups = [tuple(room + part for part in parts) for room in rooms]
    return [group for group in groups if set(group) <= set(names)]


def _words(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(word for name in names for word in name.split(".") if not word.isdigit()))
