"""How packed layers multiply on a CPU: torch's own packed kernels, the quickest chosen by a short trial.

n tokens, I inputs, O outputs. The choice is kept in the user's cache: the same machine computes the same way again.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.adapt.quant import PackedLinear
from linnet.adapt.whole_numbers import WholeNumbers
from linnet.core.errors import BadInput
from linnet.core.files import json_text, read_json, write_atomic
from linnet.core.machine import describe

Kernel = Callable[[Tensor], Tensor]
MIDDLE = 128  # of unsigned 8 bits: where the kernel's zero is
LARGEST = 127
ROWS = (1, 8)  # tokens in a product of the trial: one who writes, and eight
SECONDS, SHAPES, LEAST = 1.0, 3, 5  # of the whole trial; the layers tried; turns of each at least
OUTPUTS = 64  # packed kernels of 4 bits want their outputs in such pieces


def widened(layer: PackedLinear, dtype: torch.dtype) -> Kernel:
    """Keep the matrix in full numbers beside the packed one: as quick as before, and as large in memory."""
    matrix = layer.weight.to(dtype)
    return lambda x: F.linear(x, matrix)


def rounded_inputs(layer: PackedLinear, dtype: torch.dtype) -> Kernel:
    """Round what enters as the kernel of whole numbers does, and multiply in full numbers: what that one must equal."""
    matrix = _whole_numbers(layer)
    codes, scale = matrix.plain_codes().float(), matrix.grid().scale.T

    def product(x: Tensor) -> Tensor:
        rounded, reach = eight_bits(x.float())
        return F.linear(rounded.float() - MIDDLE, codes) * (reach / LARGEST) * scale

    return product


def onednn_int8(layer: PackedLinear, dtype: torch.dtype) -> Kernel:
    """Multiply whole numbers of 8 bits, both sides, adding up in 32: exact for what was rounded."""
    pack, product = torch.ops.onednn.qlinear_prepack, torch.ops.onednn.qlinear_pointwise
    matrix = _whole_numbers(layer)
    packed, scale = pack(matrix.codes, None), matrix.grid().scale.flatten() / LARGEST
    zeros = torch.zeros(layer.out_features, dtype=torch.int32)

    def multiply(x: Tensor) -> Tensor:
        rounded, reach = eight_bits(x.float())
        y = product(rounded, 1.0, MIDDLE, packed, scale, zeros, None, 1.0, 0, torch.float32, "none", [], "")
        return y.mul_(reach)

    return multiply


def int8_pack(layer: PackedLinear, dtype: torch.dtype) -> Kernel:
    """Widen 8-bit weights inside the product; what enters and leaves is in bf16."""
    matrix = _whole_numbers(layer)
    scale = matrix.grid().scale.flatten().bfloat16()
    codes, product = matrix.codes, torch.ops.aten._weight_int8pack_mm
    return lambda x: product(x.bfloat16(), codes, scale)


def int4_pack(layer: PackedLinear, dtype: torch.dtype) -> Kernel:
    """Widen 4-bit weights inside the product; what enters and leaves is in bf16."""
    matrix, more = _whole_numbers(layer), -layer.out_features % OUTPUTS
    grid = matrix.grid()
    codes = F.pad(matrix.plain_codes().int(), (0, 0, 0, more))
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes.contiguous(), 1)
    pair = torch.stack((grid.scale, (8 - grid.zero) * grid.scale), dim=2)  # a level is (code - 8) scale + second
    pair = F.pad(pair, (0, 0, 0, 0, 0, more)).transpose(0, 1).bfloat16().contiguous()
    product, group, outputs = torch.ops.aten._weight_int4pack_mm_for_cpu, matrix.group, layer.out_features
    return lambda x: product(x.bfloat16().contiguous(), packed, group, pair)[:, :outputs]


def eight_bits(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return each token of x [n, I] in unsigned 8 bits around 128, and its largest number [n, 1], which becomes 127."""
    reach = torch.linalg.vector_norm(x, float("inf"), dim=-1, keepdim=True).clamp_min_(1e-30)
    return (x * (LARGEST / reach)).add_(MIDDLE + 0.5).to(torch.uint8), reach


# By name: what a person reads, and what the cache keeps.
KERNELS: dict[str, Callable[[PackedLinear, torch.dtype], Kernel]] = {
    "widened": widened,
    "rounded inputs": rounded_inputs,
    "oneDNN int8": onednn_int8,
    "int8 x bf16": int8_pack,
    "int4 x bf16": int4_pack,
}


def candidates(layer: PackedLinear) -> list[str]:
    """List the kernels that can do a layer's product here."""
    matrix = layer.matrix
    if not isinstance(matrix, WholeNumbers) or matrix.codes.device.type != "cpu":
        return []
    if layer.rounds_inputs:
        return [name for name in ("oneDNN int8", "rounded inputs") if _works(name, layer)]
    if matrix.bits == 8:
        return ["widened", *(name for name in ("int8 x bf16",) if _works(name, layer))]
    return ["widened", *(name for name in ("int4 x bf16",) if _even(layer) and _works(name, layer))]


def choose(model: nn.Module, dtype: torch.dtype, cache: Path | None = None) -> dict[str, str]:
    """Give every packed layer of a copy the kernel that is quickest on this machine; return which, by kind of layer.

    Tried are the largest layers of each kind, in turn, within a second; the choice is read from the cache where one
    was made on such a machine.
    """
    kinds: dict[str, list[PackedLinear]] = {}
    for layer in packed_layers(model):
        kinds.setdefault(_kind(layer), []).append(layer)
    for kind, layers in kinds.items():
        names = candidates(max(layers, key=_weights))
        if not names:
            continue
        key = "; ".join((kind, str(dtype).removeprefix("torch."), _sizes(layers), _machine()))
        name = _known(cache or cache_file()).get(key)
        if name not in names:
            name = quickest(layers, names, dtype)
            _remember(cache or cache_file(), key, name)
        use(layers, name, dtype)
    return chosen(model)


def use(layers: list[PackedLinear], name: str | None, dtype: torch.dtype = torch.float32) -> None:
    """Let layers multiply by the kernel of a name; None widens the matrix anew for each product."""
    for layer in layers:
        layer.kernel_name = name or ""
        layer.kernel = None if name is None else KERNELS[name](layer, dtype)


def chosen(model: nn.Module) -> dict[str, str]:
    """Return by which kernel each kind of layer multiplies now."""
    return {_kind(layer): layer.kernel_name for layer in packed_layers(model) if layer.kernel_name}


def plain_products(model: nn.Module) -> None:
    """Let every packed layer multiply in full numbers what it keeps, and round nothing that enters."""
    use(list(packed_layers(model)), None)


def quickest(layers: list[PackedLinear], names: list[str], dtype: torch.dtype) -> str:
    """Return the kernel with the least time for the largest layers, summed over medians; trials are in turn."""
    if len(names) == 1:
        return names[0]
    shapes = {(layer.out_features, layer.in_features): layer for layer in layers}
    tried = sorted(shapes.values(), key=_weights, reverse=True)[:SHAPES]
    draw, total = torch.Generator().manual_seed(0), dict.fromkeys(names, 0.0)
    for layer in tried:
        made = {name: KERNELS[name](layer, dtype) for name in names}
        for rows in ROWS:
            x = torch.randn(rows, layer.in_features, generator=draw).to(dtype)
            for name, seconds in _in_turn(made, x, SECONDS / len(tried) / len(ROWS)).items():
                total[name] += seconds
    return min(total, key=lambda name: total[name])


@torch.no_grad()
def _in_turn(kernels: dict[str, Kernel], x: Tensor, seconds: float) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in kernels}
    end = time.perf_counter() + seconds
    for turn in range(10_000):
        for name, kernel in kernels.items():
            start = time.perf_counter()
            kernel(x)
            if turn:  # the first also warms up
                taken[name].append(time.perf_counter() - start)
        if turn >= LEAST and (turn >= 50 or time.perf_counter() > end):
            break
    return {name: statistics.median(times) for name, times in taken.items()}


def packed_layers(model: nn.Module) -> Iterator[PackedLinear]:
    """Yield the packed linear layers of a quantized copy."""
    return (m for m in model.modules() if isinstance(m, PackedLinear) and m.of_copy)


def cache_file() -> Path:
    """Return where choices are kept: `linnet/kernels.json` in XDG_CACHE_HOME or `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "linnet" / "kernels.json"


def _works(name: str, layer: PackedLinear) -> bool:
    """Say whether this torch on this processor has a kernel and gives with it what the matrix gives."""
    x = torch.linspace(-1, 1, 2 * layer.in_features).view(2, -1)
    try:
        found = KERNELS[name](layer, torch.float32)(x).float()
    except (RuntimeError, AttributeError, NotImplementedError):
        return False
    wanted = F.linear(x, layer.weight)
    return bool((found - wanted).norm() <= 0.05 * wanted.norm() + 1e-6)


def _kind(layer: PackedLinear) -> str:
    matrix = _whole_numbers(layer)
    more = " with rounded inputs" if layer.rounds_inputs else "" if _even(layer) else " with a short last group"
    return f"int{matrix.bits}{more}"


def _whole_numbers(layer: PackedLinear) -> WholeNumbers:
    assert isinstance(layer.matrix, WholeNumbers)
    return layer.matrix


def _even(layer: PackedLinear) -> bool:
    return isinstance(layer.matrix, WholeNumbers) and layer.in_features % layer.matrix.group == 0


def _weights(layer: PackedLinear) -> int:
    return layer.out_features * layer.in_features


def _sizes(layers: list[PackedLinear]) -> str:
    sizes = sorted({(layer.out_features, layer.in_features) for layer in layers}, reverse=True)[:SHAPES]
    return ", ".join(f"{outputs}x{inputs}" for outputs, inputs in sizes)


def _machine() -> str:
    return f"{describe()['cpu']}, torch {torch.__version__}, {torch.get_num_threads()} threads"


def _known(path: Path) -> dict[str, str]:
    try:
        known = read_json(path, 2**20) if path.is_file() else {}
    except BadInput:
        return {}
    return known if isinstance(known, dict) else {}


def _remember(path: Path, key: str, name: str) -> None:
    try:
        write_atomic(path, json_text({**_known(path), key: name}))
    except (OSError, BadInput):  # no place to keep it: tried again next time
        return
