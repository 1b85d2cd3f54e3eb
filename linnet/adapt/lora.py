"""LoRA: narrow detours around frozen matrices, several at once, each switched and weighed at run time; and DoRA.

B rows, I inputs, O outputs, r rank.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.adapt.config import AdaptConfig
from linnet.adapt.quant import PackedLinear
from linnet.adapt.targets import find_groups
from linnet.core.errors import BadInput

Weights = Mapping[str, float]
FIRST = "default"  # the name of an adapter that was given none


class Detour(nn.Module):
    """A way beside a matrix W: scale x A^T B^T (Hu et al. 2021), with A [r, I] random and B [O, r] zero at first.

    With a magnitude m [O] it is DoRA (Liu et al. 2024, equation 5): what W and the detour make together is a direction,
    each row of length 1, and m is its length. The length that is divided by gets no gradient (their section 4.3).
    """

    def __init__(self, down: nn.Parameter, outputs: int, scale: float, dropout: float, length: Tensor | None):
        super().__init__()
        self.down, self.scale, self.dropout = down, scale, dropout
        self.up = nn.Parameter(torch.zeros(outputs, len(down), device=down.device, dtype=down.dtype))
        self.magnitude = None if length is None else nn.Parameter(length.clone())

    def forward(self, x: Tensor, base: nn.Linear | PackedLinear, said: Tensor) -> Tensor:
        """Return what is to be added to said = base(x): x [..., I] to [..., O]."""
        dropped = F.dropout(x, self.dropout, self.training) if self.dropout else x
        narrow = F.linear(F.linear(dropped, self.down), self.up) * self.scale
        if self.magnitude is None:
            return narrow
        matrix = base.weight
        stretch = self.stretch(matrix).to(narrow.dtype)
        if dropped is x:  # then the product with W is there already
            plain = said if base.bias is None else said - base.bias.to(said.dtype)
        else:
            plain = F.linear(dropped, matrix.to(x.dtype))
        return (stretch - 1) * plain + stretch * narrow

    def product(self) -> Tensor:
        """Return scale B A, [O, I]."""
        return self.scale * (self.up @ self.down)

    def stretch(self, matrix: Tensor) -> Tensor:
        """Return what DoRA multiplies each row by, m / |W + scale B A|, [O]; 1 without m, and for rows of 0."""
        if self.magnitude is None:
            return torch.ones_like(self.up[:, 0])
        with torch.no_grad():
            length = torch.linalg.vector_norm(matrix + self.product(), dim=1).to(self.magnitude.dtype)
        return torch.where(length > 0, self.magnitude / length.clamp_min(torch.finfo(length.dtype).tiny), 1.0)


class Chosen(NamedTuple):
    """Which rows of a batch of `of` rows have an adapter: their places [n], None for all of them."""

    of: int
    rows: Tensor | None


class Detoured(nn.Module):
    """A frozen linear layer with detours by name; `use` says how much each counts, or which rows of a batch have it."""

    def __init__(self, base: nn.Linear | PackedLinear):
        super().__init__()
        self.base, self.detours = base, nn.ModuleDict()
        self.use: dict[str, float | Chosen] = {}
        self.merged: dict[str, Tensor] | None = None  # while merged: the stretch that each detour was merged with

    def add(self, name: str, detour: nn.Module) -> None:
        """Put a detour beside those there are, and use it; raises BadInput where the name is taken."""
        if name in self.detours:
            raise BadInput(f"an adapter {name} is there already; choose another name")
        self.detours[name] = detour.to(self.base.weight.device).train(self.training)
        self.use[name] = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., I] to [..., O]."""
        y = said = self.base(x)
        if self.merged is not None:
            return y
        for name, weight in self.use.items():
            detour = self.detours[name]
            if isinstance(weight, Chosen):
                y = self._by_rows(x, y, said, detour, weight)
            elif weight:
                more = detour(x, self.base, said)
                y = y + (more if weight == 1 else weight * more)
        return y

    def _by_rows(self, x: Tensor, y: Tensor, said: Tensor, detour: nn.Module, chosen: Chosen) -> Tensor:
        if x.ndim < 3 or chosen.of != len(x):
            raise ValueError(f"adapters were chosen for {chosen.of} rows, and {list(x.shape)} came; choose anew")
        if chosen.rows is None:
            return y + detour(x, self.base, said)
        more = detour(x[chosen.rows], self.base, said[chosen.rows])
        return y.index_add(0, chosen.rows, more.to(y.dtype))

    @property
    def weight(self) -> Tensor:
        """Return the matrix that does what base and detours do, [O, I]."""
        factor, addition = self._effect(self._stretches())
        return factor * self.base.weight + addition

    def folded(self) -> nn.Linear:
        """Return one plain layer in the place of base and detours, in memory of its own; a packed base is unpacked."""
        matrix = self.base.weight if self.merged is not None else self.weight
        made = nn.Linear(*matrix.shape[::-1], bias=self.base.bias is not None, device="meta")
        made.weight = nn.Parameter(matrix.detach().clone())
        if self.base.bias is not None:
            made.bias = nn.Parameter(self.base.bias.detach().clone())
        return made

    @torch.no_grad()
    def merge(self) -> None:
        """Add the detours to the base's own matrix: as fast as no detour; raises BadInput for a packed base."""
        if isinstance(self.base, PackedLinear):
            raise BadInput(
                "a packed base cannot take an adapter up without rounding it away: fold it into full weights"
            )
        if self.merged is None:
            stretches = self._stretches()
            factor, addition = self._effect(stretches)
            self.base.weight.mul_(factor).add_(addition)
            self.merged = stretches

    @torch.no_grad()
    def unmerge(self) -> None:
        """Take the detours out of the base's matrix again, to rounding."""
        if self.merged is not None:
            factor, addition = self._effect(self.merged)
            cast(Tensor, self.base.weight).sub_(addition).div_(factor)
            self.merged = None

    def _stretches(self) -> dict[str, Tensor]:
        return {name: self._detour(name).stretch(self.base.weight).detach() for name in self.use}

    def _effect(self, stretches: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return (factor [O, 1], addition [O, I]): the whole matrix is factor W + addition."""
        matrix = self.base.weight
        factor, addition = torch.ones_like(matrix[:, :1]), torch.zeros_like(matrix)
        for name, stretch in stretches.items():
            weight = self.use[name]
            if isinstance(weight, Chosen):
                raise ValueError("adapters are chosen for each row: there is no one matrix; choose one for all rows")
            factor = factor + weight * (stretch[:, None] - 1)
            addition = addition + weight * stretch[:, None] * self._detour(name).product()
        return factor, addition

    def _detour(self, name: str) -> Detour:
        return cast(Detour, self.detours[name])


def add_detours(model: nn.Module, config: AdaptConfig, draw: torch.Generator, name: str = FIRST) -> int:
    """Put a detour around each target and use it, beside those there are; return how many layers have got one.

    `draw` makes the A matrices, on the CPU. Raises BadInput for targets that are not there, or a name that is taken.
    """
    groups = find_groups(model, config.targets)
    scale = scale_of(config.rank, config.alpha, config.rank_stabilized)
    for group in groups:
        down: nn.Parameter | None = None
        for layer in group:
            around = detoured(model, layer)
            matrix = around.base.weight
            down = first_way(config.rank, matrix, draw) if down is None else down
            length = torch.linalg.vector_norm(matrix.detach(), dim=1) if config.method == "dora" else None
            around.add(name, Detour(down, len(matrix), scale, config.dropout, length))
    return sum(map(len, groups))


def scale_of(rank: int, alpha: float, stabilized: bool) -> float:
    """Return how often a detour counts: alpha / r, or alpha / sqrt(r) (rsLoRA, Kalajdzievski 2023)."""
    return alpha / (rank**0.5 if stabilized else rank)


def first_way(rank: int, matrix: Tensor, draw: torch.Generator) -> nn.Parameter:
    """Return A [r, I] for a matrix [O, I], uniform within 1 / sqrt(I) as a linear layer's weights are."""
    bound = matrix.shape[1] ** -0.5
    values = (2 * torch.rand(rank, matrix.shape[1], generator=draw) - 1) * bound
    return nn.Parameter(values.to(matrix.device, matrix.dtype))


def share(owner: nn.Module, other: nn.Module, name: str) -> None:
    """Put an adapter of one network on another of the same shape, with the same weights; raises BadInput if taken."""
    for layer, around in list(all_detoured(owner)):
        if name in around.detours:
            detoured(other, layer).add(name, around.detours[name])


def detoured(model: nn.Module, name: str) -> Detoured:
    """Return the layer of this name as one that can have detours, put in its place if it is not there yet."""
    room = model.get_submodule(name.rpartition(".")[0])
    layer = model.get_submodule(name)
    if not isinstance(layer, Detoured):
        assert isinstance(layer, nn.Linear | PackedLinear)
        layer = Detoured(layer).train(layer.training)
        setattr(room, name.rpartition(".")[2], layer)
    return layer


def all_detoured(model: nn.Module) -> Iterator[tuple[str, Detoured]]:
    """Yield every layer with detours and its name, in the network's order."""
    yield from ((name, module) for name, module in model.named_modules() if isinstance(module, Detoured))


def adapters(model: nn.Module) -> list[str]:
    """List the names of the adapters in a network, in the order they were added."""
    return list(dict.fromkeys(name for _, layer in all_detoured(model) for name in layer.detours))


def switch(model: nn.Module, weights: Weights) -> None:
    """Let each named adapter count so many times, and the others not at all: {} switches all off.

    Raises BadInput for a name that is not there.
    """
    _check(model, weights)
    for _, layer in all_detoured(model):
        layer.unmerge()
        layer.use = {name: weight for name, weight in weights.items() if name in layer.detours and weight}


def switch_rows(model: nn.Module, rows: Sequence[str | None]) -> None:
    """Choose an adapter for each row of the next batches, or none: rows with different adapters in one batch.

    Raises BadInput for a name that is not there, and for layers that see tokens without their rows (experts).
    """
    wanted = dict.fromkeys(name for name in rows if name is not None)
    _check(model, list(wanted))
    layers = list(all_detoured(model))
    device = next(layers[0][1].detours.parameters()).device if layers else None
    places = {name: [place for place, row in enumerate(rows) if row == name] for name in wanted}
    chosen = {  # made once: each layer looks at the same places
        name: Chosen(len(rows), None if len(found) == len(rows) else torch.tensor(found, device=device))
        for name, found in places.items()
    }
    for name, layer in layers:
        if ".experts." in name:
            raise BadInput(f"{name}: experts see tokens without their rows; choose one adapter for all rows")
        layer.unmerge()
        layer.use = {own: those for own, those in chosen.items() if own in layer.detours}


def merge(model: nn.Module) -> None:
    """Merge the adapters in use into the weights, in place: whoever shares these weights sees it."""
    for _, layer in all_detoured(model):
        layer.merge()


def unmerge(model: nn.Module) -> None:
    """Undo `merge`, to rounding."""
    for _, layer in all_detoured(model):
        layer.unmerge()


def _check(model: nn.Module, names: Mapping[str, float] | Sequence[str]) -> None:
    known = adapters(model)
    if unknown := [name for name in names if name not in known]:
        raise BadInput(f"no adapter {unknown[0]} is there, only {', '.join(known) or 'none'}")
