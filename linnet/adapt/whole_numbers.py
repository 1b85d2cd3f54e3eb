"""A matrix in whole numbers: 8 bits with a scale for each row, or 4 bits with one for each group of a row.

O rows, I numbers in a row, G groups of a row. A number is (code - zero) x scale. Four bits: two codes a byte, the
first in the low half.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TINY = torch.finfo(torch.float32).tiny
MIDDLE = 8  # the code of zero in four bits without zero points


@dataclass(frozen=True)
class Grid:
    """The levels of each group: (code - zero) x scale for the whole codes from `lowest` to `highest`."""

    scale: Tensor  # [O, G] fp32, above 0
    zero: Tensor  # [O, G] whole numbers
    lowest: int
    highest: int

    def codes(self, numbers: Tensor, groups: Tensor) -> Tensor:
        """Return the codes [O, n] of the levels nearest to numbers [O, n], whose columns are in `groups` [n]."""
        at = (numbers / self.scale[:, groups].to(numbers.dtype)).round() + self.zero[:, groups].to(numbers.dtype)
        return at.clamp(self.lowest, self.highest)

    def numbers(self, codes: Tensor, groups: Tensor) -> Tensor:
        """Return what codes [O, n] stand for, in the type of the codes, in fp32 at least."""
        exact = torch.promote_types(codes.dtype, torch.float32)
        return (codes.to(exact) - self.zero[:, groups].to(exact)) * self.scale[:, groups].to(exact)


def fit(matrix: Tensor, bits: int, group: int, zero_point: bool = False) -> Grid:
    """Return levels for a matrix [O, I] that reach every weight of it: each is within half a step of one.

    In 4 bits the scales are rounded up to bfloat16, as they are kept, before anything is rounded by them.
    """
    rows = F.pad(matrix.detach().float(), (0, -matrix.shape[1] % group)).view(len(matrix), -1, group)
    if bits == 8:
        scale = _scale(rows.abs().amax(2), 127)
        return Grid(scale, torch.zeros_like(scale), -127, 127)
    if not zero_point:
        scale = _up_to_bf16(_scale(rows.abs().amax(2), 7))
        return Grid(scale, torch.full_like(scale, MIDDLE), 1, 15)
    least, most = rows.amin(2).clamp(max=0), rows.amax(2).clamp(min=0)
    scale = _up_to_bf16(_scale(most - least, 15))
    return Grid(scale, (-least / scale).round().clamp(0, 15), 0, 15)


class WholeNumbers(nn.Module):
    """A matrix [O, I] as codes with scales, kept in buffers that no change of the network's type rounds."""

    codes: Tensor
    scale: Tensor
    zero: Tensor | None

    def __init__(self, shape: Sequence[int], bits: int, group: int, zero_point: bool, device: str = "cpu"):
        """Take room for the codes of a matrix of this shape [O, I]; `put` fills it, or a file does."""
        super().__init__()
        self.rows, self.columns = rows, columns = shape
        self.bits, self.group, self.zero_point = bits, group, zero_point
        groups = -(-columns // group)
        wide = (columns, torch.int8, torch.int32) if bits == 8 else ((columns + 1) // 2, torch.uint8, torch.int16)
        self.register_buffer("codes", torch.zeros(rows, wide[0], dtype=wide[1], device=device))
        self.register_buffer("scale", torch.zeros(rows, groups, dtype=wide[2], device=device))
        zeros = torch.zeros(rows, groups, dtype=torch.uint8, device=device) if zero_point else None
        self.register_buffer("zero", zeros)

    @classmethod
    def of(cls, matrix: Tensor, bits: int = 8, group: int | None = None, zero_point: bool = False) -> "WholeNumbers":
        """Return a matrix at its nearest levels; without a group a row has one scale."""
        made = cls(matrix.shape, bits, group or matrix.shape[1], zero_point, str(matrix.device))
        grid = fit(matrix, bits, made.group, zero_point)
        made.put(grid.codes(matrix.detach().float(), made.groups()), grid)
        return made

    def put(self, codes: Tensor, grid: Grid) -> None:
        """Keep codes [O, I], whole numbers of any type, on their grid."""
        if self.bits == 8:
            self.codes, self.scale = codes.to(torch.int8), grid.scale.float().view(torch.int32)
            return
        self.codes, self.scale = halves(codes.to(torch.uint8)), grid.scale.bfloat16().view(torch.int16)
        if self.zero is not None:
            self.zero = grid.zero.to(torch.uint8)

    def groups(self) -> Tensor:
        """Return the group of each column, [I]."""
        return torch.arange(self.columns, device=self.codes.device) // self.group

    def grid(self, rows: Tensor | slice = slice(None)) -> Grid:
        """Return the levels of all rows, or of some."""
        scale = _as_kept(self.scale[rows])
        if self.bits == 8:
            return Grid(scale, torch.zeros_like(scale), -127, 127)
        if self.zero is None:
            return Grid(scale, torch.full_like(scale, MIDDLE), 1, 15)
        return Grid(scale, self.zero[rows].float(), 0, 15)

    def plain_codes(self, rows: Tensor | slice = slice(None)) -> Tensor:
        """Return the codes [O, I], one number each."""
        return self.codes[rows] if self.bits == 8 else whole(self.codes[rows], self.columns)

    def numbers(self, rows: Tensor | slice = slice(None)) -> Tensor:
        """Return what is kept in full numbers, [O, I] fp32; of some rows only where they are named, [n, I]."""
        if self.bits == 8:
            return self.codes[rows].float() * _as_kept(self.scale[rows])
        return self.grid(rows).numbers(self.plain_codes(rows).float(), self.groups())

    @property
    def bytes(self) -> int:
        """Bytes of codes, scales and zero points."""
        return sum(buffer.numel() * buffer.element_size() for buffer in self.buffers())


def halves(codes: Tensor) -> Tensor:
    """Return codes 0..15 [O, I] as bytes [O, I / 2 rounded up]: the first of two in the low half."""
    codes = F.pad(codes, (0, codes.shape[1] % 2))
    return codes[:, 0::2] | codes[:, 1::2] << 4


def whole(packed: Tensor, columns: int) -> Tensor:
    """Return the codes [O, columns] of bytes."""
    return torch.stack((packed & 15, packed >> 4), dim=2).flatten(1)[:, :columns]


def _as_kept(bits: Tensor) -> Tensor:
    return bits.view(torch.float32) if bits.dtype == torch.int32 else bits.view(torch.bfloat16).float()


def _scale(reach: Tensor, steps: int) -> Tensor:
    return torch.where(reach > 0, reach, steps).div(steps).clamp(min=TINY)


def _up_to_bf16(scale: Tensor) -> Tensor:
    near = scale.bfloat16()
    above = (near.view(torch.int16) + 1).view(torch.bfloat16)
    return torch.where(near.float() < scale, above, near).float()
