"""A batch: ids, the targets that are learned, and where documents begin; targets are already shifted by one.

B rows, T tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

IGNORE = -100  # a target that is not learned; what torch's cross-entropy ignores by default


@dataclass(frozen=True)
class Batch:
    """Token ids [B, T] and targets [B, T]: the target of position t is the token at t + 1, or IGNORE.

    documents [B, T] are segment ids (-1 is padding) and positions [B, T] count from 0 in each document; None where a
    row is one stretch of text.
    """

    ids: Tensor
    targets: Tensor
    documents: Tensor | None = None
    positions: Tensor | None = None

    def to(self, device: torch.device | str) -> "Batch":
        """Return the batch on a device."""
        documents = None if self.documents is None else self.documents.to(device)
        positions = None if self.positions is None else self.positions.to(device)
        return Batch(self.ids.to(device), self.targets.to(device), documents, positions)
