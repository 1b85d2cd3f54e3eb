"""Numbers in 8 bits, block by block: codes on a map that is fine near zero, and one scale a block.

The dynamic map of Dettmers 2016 as used by Dettmers et al. 2022 ("8-bit optimizers via block-wise quantization").
"""

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 256
DECADES = 7


def dynamic_map(signed: bool) -> Tensor:
    """Return the 256 numbers of [-1, 1], or of [0, 1], that codes stand for, in ascending order.

    Each decade down to 1e-7 has half as many as the one above, in the middles of equal cells; 0 and 1 are there too.
    """
    numbers = [torch.tensor([0.0, 1.0], dtype=torch.float64)]
    for decade in range(DECADES):
        cells = 2**decade if signed else 2 ** (decade + 1)
        middles = 0.1 + 0.9 * (torch.arange(cells, dtype=torch.float64) + 0.5) / cells
        scaled = middles * 10.0 ** (decade - DECADES + 1)
        numbers += [scaled, -scaled] if signed else [scaled]
    return torch.cat(numbers).sort().values.float()


def encode(x: Tensor, code: Tensor, draw: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Return (codes uint8 [N], scales [N / 256 rounded up]) of x with N numbers, each block's largest being 1.

    To the nearest number of `code`, or with `draw` to one of the two neighbours by chance, so that the mean is right.
    """
    blocks = F.pad(x.flatten().float(), (0, -x.numel() % BLOCK)).view(-1, BLOCK)
    scales = blocks.abs().amax(1)
    unit = blocks / torch.where(scales > 0, scales, 1)[:, None]
    if draw is None:
        places = torch.bucketize(unit, (code[1:] + code[:-1]) / 2)
    else:
        above = torch.bucketize(unit, code).clamp(1, len(code) - 1)
        low, high = code[above - 1], code[above]
        chance = torch.rand(unit.shape, generator=draw, device=unit.device)
        places = above - (chance * (high - low) >= unit - low).long()
    return places.to(torch.uint8).flatten()[: x.numel()], scales


def decode(codes: Tensor, scales: Tensor, code: Tensor) -> Tensor:
    """Return the numbers [N] of codes [N] and the scales of their blocks."""
    units = F.pad(code[codes.int()], (0, -codes.numel() % BLOCK)).view(-1, BLOCK)
    return (units * scales[:, None]).flatten()[: codes.numel()]
