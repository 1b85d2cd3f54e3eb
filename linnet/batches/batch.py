"""What a training step reads: ids, the targets already shifted, and where documents lie in the rows.

Shapes: B rows, T tokens in a row.
"""

from dataclasses import dataclass

import torch

IGNORE = -100  # a target that is not learned; the value PyTorch's cross-entropy skips by default


@dataclass(frozen=True)
class Batch:
    """`targets[b, t]` is the token that follows `ids[b, t]`, or IGNORE where nothing is learned.

    `documents` numbers the documents in a row (tokens attend only to their own number; -1 is padding), `positions`
    counts from 0 in each; both are None when a row is one stretch of text.
    """

    ids: torch.Tensor  # [B, T] int64
    targets: torch.Tensor  # [B, T] int64
    documents: torch.Tensor | None = None  # [B, T] int64
    positions: torch.Tensor | None = None  # [B, T] int64

    def __post_init__(self) -> None:
        for name in ("targets", "documents", "positions"):
            tensor = getattr(self, name)
            if tensor is not None and tensor.shape != self.ids.shape:
                raise ValueError(
                    f"{name} has shape {tuple(tensor.shape)}, ids {tuple(self.ids.shape)}; they must be equal"
                )

    @property
    def learned(self) -> int:
        """Return how many targets are learned: what a sum of losses is divided by."""
        return int((self.targets != IGNORE).sum())

    def rows(self, which: slice) -> "Batch":
        """Return some of the rows."""

        def chosen(part: torch.Tensor | None) -> torch.Tensor | None:
            return None if part is None else part[which]

        return Batch(self.ids[which], self.targets[which], chosen(self.documents), chosen(self.positions))

    def to(self, device: str | torch.device) -> "Batch":
        """Return the batch on a device; the copy does not block when the memory is pinned."""

        def moved(part: torch.Tensor | None) -> torch.Tensor | None:
            return None if part is None else part.to(device, non_blocking=True)

        ids, targets = (part.to(device, non_blocking=True) for part in (self.ids, self.targets))
        return Batch(ids, targets, moved(self.documents), moved(self.positions))
