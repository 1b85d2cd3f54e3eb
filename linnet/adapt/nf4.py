"""NF4: four bits a weight, at the sixteen quantiles of a bell curve, and a scale for each 64 (Dettmers et al. 2023).

N weights of a matrix laid out flat, in bytes of two: the first in the high half, as bitsandbytes has it.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from linnet.adapt import blockwise

BLOCK = 64
# Appendix E of the paper: normal quantiles, even in probability on each side of an exact 0, the outermost at -1 and 1.
LEVELS = torch.tensor([
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
])  # fmt: skip


@dataclass(frozen=True)
class Scales:
    """The scale of each block: as it is, or in 8 bits around their mean (double quantization)."""

    plain: Tensor | None = None  # [blocks]
    eights: Tensor | None = None  # uint8 [blocks]
    of_eights: Tensor | None = None  # [blocks / 256]
    mean: Tensor | None = None  # []

    def read(self) -> Tensor:
        """Return the scales, [blocks]."""
        if self.plain is not None:
            return self.plain
        assert self.eights is not None
        assert self.of_eights is not None
        assert self.mean is not None
        code = blockwise.dynamic_map(signed=True).to(self.eights.device)
        return blockwise.decode(self.eights, self.of_eights, code) + self.mean


def encode(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return (bytes uint8 [N / 2 rounded up], scales [N / 64 rounded up]): each weight at the nearest level."""
    blocks = F.pad(weights.detach().flatten().float(), (0, -weights.numel() % BLOCK)).view(-1, BLOCK)
    scales = blocks.abs().amax(1)
    units = blocks / torch.where(scales > 0, scales, 1)[:, None]
    levels = LEVELS.to(weights.device)
    places = torch.bucketize(units, (levels[1:] + levels[:-1]) / 2).to(torch.uint8).flatten()
    count = weights.numel() + weights.numel() % 2
    return places[:count:2] << 4 | places[1:count:2], scales


def decode(packed: Tensor, scales: Tensor, count: int) -> Tensor:
    """Return the weights [count] of bytes and scales."""
    levels = LEVELS.to(packed.device)
    both = torch.stack((levels.repeat_interleave(16), levels.repeat(16)), dim=1)  # a byte's two levels, [256, 2]
    units = F.embedding(packed.int(), both).flatten()
    return (F.pad(units, (0, -units.numel() % BLOCK)).view(-1, BLOCK) * scales[:, None]).flatten()[:count]


def encode_scales(scales: Tensor, double: bool) -> Scales:
    """Return scales as they are kept: with `double` 8 bits each and a scale for 256 of them, around their mean."""
    if not double:
        return Scales(plain=scales)
    mean = scales.mean()
    code = blockwise.dynamic_map(signed=True).to(scales.device)
    return Scales(None, *blockwise.encode(scales - mean, code), mean)
