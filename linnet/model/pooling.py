"""One set of numbers for a whole row: of its first token, of its last, or the mean of all of them.

B rows, T tokens, C classes.
"""

from typing import Literal

import torch
from torch import Tensor

Pooling = Literal["none", "first", "last", "mean"]


def pooled(logits: Tensor, lengths: Tensor, how: Pooling) -> Tensor:
    """Return [B, C] of the real tokens of logits [B, T, C]: padding, beyond lengths [B], has no say.

    The mean of a linear head's numbers is the head of the mean state. Raises ValueError for "none".
    """
    if how == "first":
        return logits[:, 0]
    if how == "last":
        return logits.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, logits.shape[2]))[:, 0]
    if how == "mean":
        real = torch.arange(logits.shape[1], device=logits.device)[None] < lengths[:, None]
        return torch.where(real[..., None], logits, 0).sum(1) / lengths[:, None]
    raise ValueError("this network scores tokens, not rows: its config has no pooling")
