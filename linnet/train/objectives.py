"""Every loss, as a sum over targets and how many there were, so that the loop can divide once, rightly.

B rows, T tokens, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from linnet.batches.batch import IGNORE, Batch
from linnet.model.decoder import Decoder


@dataclass(frozen=True)
class Loss:
    """A summed loss (a scalar with gradient), how many targets it sums over, and other sums worth logging."""

    total: Tensor
    count: Tensor
    numbers: dict[str, Tensor] = field(default_factory=dict)


Objective = Callable[[Decoder, Batch], Loss]


def next_token(model: Decoder, batch: Batch, balance_weight: float = 0.0) -> Loss:
    """Cross-entropy of the next token in nats, summed over the learned targets (those that are not IGNORE).

    A mixture of experts adds `balance_weight` times its balance loss (Fedus et al. 2021), once for each target.
    """
    logits = model(batch.ids, positions=batch.positions, documents=batch.documents)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    targets = batch.targets.reshape(-1)
    total = F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=IGNORE, reduction="sum")
    count = (targets != IGNORE).sum()
    numbers = {"loss": total.detach()}
    mixtures = model.mixtures()
    if mixtures and balance_weight:
        balance = torch.stack([mixture.balance_loss for mixture in mixtures if mixture.balance_loss is not None]).mean()
        total = total + balance_weight * balance * count
        numbers["balance"] = balance.detach() * count
    return Loss(total, count, numbers)


def next_token_objective(balance_weight: float = 0.0, compiled: bool = False) -> Objective:
    """Return `next_token` as an objective; `compiled` runs model and loss as one graph of `torch.compile`."""
    objective = partial(next_token, balance_weight=balance_weight)
    if not compiled:
        return objective
    return torch.compile(objective, dynamic=False)
