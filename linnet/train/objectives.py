"""Every loss, as a sum over targets and how many there were, so that the loop can divide once, rightly.

B rows, T tokens, V vocabulary, C classes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.labelled import LabelledBatch
from linnet.batches.source_target import SourceTargetBatch
from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.model.encoder_decoder import EncoderDecoder
from linnet.model.network import Network
from linnet.model.pooling import pooled


@dataclass(frozen=True)
class Loss:
    """A summed loss (a scalar with gradient), how many targets it sums over, and other sums worth logging."""

    total: Tensor
    count: Tensor
    numbers: dict[str, Tensor] = field(default_factory=dict)


Objective = Callable[[Any, Any], Loss]  # reads networks and batches of its own kind


def next_token(model: Decoder, batch: Batch, balance_weight: float = 0.0) -> Loss:
    """Cross-entropy of the next token in nats, summed over the learned targets (those that are not IGNORE).

    A mixture of experts adds `balance_weight` times its balance loss (Fedus et al. 2021), once for each target.
    """
    logits = model(batch.ids, positions=batch.positions, documents=batch.documents)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    targets = batch.targets.reshape(-1)
    total = F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=IGNORE, reduction="sum")
    count = (targets != IGNORE).sum()
    return with_balance(Loss(total, count, {"loss": total.detach()}), model, balance_weight)


def with_balance(loss: Loss, model: Network, weight: float) -> Loss:
    """Add the balance loss of the experts' last pass, once for each target; a model without experts adds none."""
    shares = [mixture.balance_loss for mixture in model.mixtures() if mixture.balance_loss is not None]
    if not shares or not weight:
        return loss
    balance = torch.stack(shares).mean()
    numbers = {**loss.numbers, "balance": balance.detach() * loss.count}
    return Loss(loss.total + weight * balance * loss.count, loss.count, numbers)


def masked_token(model: Encoder | Decoder, batch: Batch) -> Loss:
    """Cross-entropy of the tokens that were hidden, in nats, summed; `accuracy` is how many are the likeliest ones.

    Targets stand at their own places (Devlin et al. 2019): nothing is shifted, and what was not hidden is IGNORE.
    """
    logits = model(batch.ids, positions=batch.positions, documents=batch.documents)
    return _of_targets(logits, batch.targets)


def source_to_target(model: EncoderDecoder, batch: SourceTargetBatch, label_smoothing: float = 0.0) -> Loss:
    """Cross-entropy of the next target token given its source, in nats, summed; `accuracy` counts the likeliest ones.

    With `label_smoothing` so much of each target's probability is spread over all ids (Szegedy et al. 2016);
    `cross_entropy` is then the loss without it.
    """
    logits = model(batch.source, batch.target.ids, source_lengths=batch.source_lengths)
    return _of_targets(logits, batch.target.targets, label_smoothing)


def classification(model: Decoder | Encoder, batch: LabelledBatch, balance_weight: float = 0.0) -> Loss:
    """Cross-entropy of the label of each row in nats, summed; `accuracy` counts the rows that are classed rightly."""
    logits = pooled(model(batch.ids, lengths=batch.lengths), batch.lengths, model.config.pooling)
    return with_balance(_of_targets(logits, batch.labels), model, balance_weight)


def _of_targets(logits: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Loss:
    """Return the summed cross-entropy of logits [..., V] at targets [...] that are not IGNORE."""
    flat, wanted = logits.flatten(0, -2), targets.reshape(-1)
    flat = flat.to(torch.promote_types(flat.dtype, torch.float32))
    plain = F.cross_entropy(flat, wanted, ignore_index=IGNORE, reduction="sum")
    hits = (flat.argmax(-1) == wanted).sum().to(plain.dtype)
    numbers = {"loss": plain.detach(), "accuracy": hits}
    total = plain
    if label_smoothing:
        total = F.cross_entropy(flat, wanted, ignore_index=IGNORE, reduction="sum", label_smoothing=label_smoothing)
        numbers |= {"loss": total.detach(), "cross_entropy": plain.detach()}
    return Loss(total, (wanted != IGNORE).sum(), numbers)


def distillation(
    model: Decoder, batch: Batch, teacher: Decoder, temperature: float, hard: float, balance_weight: float = 0.0
) -> Loss:
    """Divergence of the model from a teacher's softened probabilities, and a share `hard` of cross-entropy.

    Hinton et al. 2015 (arXiv 1503.02531): `(1 - hard) T^2 KL(p_T || q_T) + hard CE` over the learned targets, where
    p_T and q_T are softmax(logits / T) of teacher and model; T^2 keeps the gradient's size whatever the temperature.
    """
    seen = {"positions": batch.positions, "documents": batch.documents}
    logits = model(batch.ids, **seen)
    with torch.no_grad():
        taught = teacher(batch.ids, **seen)
    exact = torch.promote_types(logits.dtype, torch.float32)
    soft, wanted = ((x.to(exact) / temperature).log_softmax(-1) for x in (logits, taught))
    learned = batch.targets != IGNORE
    divergence = temperature**2 * (F.kl_div(soft, wanted, reduction="none", log_target=True).sum(-1) * learned).sum()
    flat = logits.to(exact).flatten(0, 1)
    entropy = F.cross_entropy(flat, batch.targets.reshape(-1), ignore_index=IGNORE, reduction="sum")
    total = (1 - hard) * divergence + hard * entropy
    numbers = {"loss": total.detach(), "divergence": divergence.detach(), "cross_entropy": entropy.detach()}
    return with_balance(Loss(total, learned.sum(), numbers), model, balance_weight)


def next_token_objective(balance_weight: float = 0.0, compiled: bool = False) -> Objective:
    """Return `next_token` as an objective; `compiled` runs model and loss as one graph of `torch.compile`."""
    objective = partial(next_token, balance_weight=balance_weight)
    if not compiled:
        return objective
    return torch.compile(objective, dynamic=False)
