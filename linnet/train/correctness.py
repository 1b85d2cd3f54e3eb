"""The verifier's loss: after each token of an answer, is the answer right? (Cobbe et al. 2021, arXiv 2110.14168.)

B rows, T tokens.
"""

from functools import partial

import torch
import torch.nn.functional as F

from linnet.adapt.heads import with_head
from linnet.batches.batch import IGNORE, Batch
from linnet.batches.judged import JudgedIds, JudgedRows, judged_batch
from linnet.model.decoder import Decoder
from linnet.train.config import TuningConfig
from linnet.train.objectives import Loss, Objective, with_balance
from linnet.train.precision import Precision
from linnet.train.state import TrainState
from linnet.train.tuning import begin_adapting, begin_tuning


def correctness(model: Decoder, batch: Batch, balance_weight: float = 0.0) -> Loss:
    """Binary cross-entropy in nats of one score a token, summed over the judged tokens (targets 0 or 1).

    `numbers` has the loss and how many tokens fall on the right side of one half.
    """
    logits = model(batch.ids, positions=batch.positions, documents=batch.documents).squeeze(-1)  # [B, T]
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    judged = batch.targets != IGNORE
    wanted = batch.targets.clamp(min=0).to(logits.dtype)
    losses = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    total = torch.where(judged, losses, 0).sum()
    hits = ((logits > 0) == (wanted > 0.5)) & judged
    loss = Loss(total, judged.sum(), {"loss": total.detach(), "accuracy": hits.sum().to(total.dtype)})
    return with_balance(loss, model, balance_weight)


def correctness_objective(balance_weight: float = 0.0) -> Objective:
    """Return `correctness` as an objective."""
    return partial(correctness, balance_weight=balance_weight)


def begin(
    parent: Decoder, items: list[JudgedIds], pad_id: int, cfg: TuningConfig, precision: Precision
) -> TrainState[Decoder]:
    """Return a verifier on the parent's trunk, its optimizer and batches, as they are before the first step."""
    model = begin_adapting(cfg, with_head(parent, 1, torch.Generator().manual_seed(cfg.seed)), whole=["head"])
    batches = JudgedRows(items, cfg.batch_size, cfg.seed, pad_id, mark=bool(model.config.num_experts))
    return begin_tuning(cfg, model, batches, precision)


@torch.no_grad()
def held_out_numbers(
    model: Decoder, items: list[JudgedIds], pad_id: int, precision: Precision, batch_size: int = 32
) -> dict[str, float]:
    """Return the mean loss and accuracy of a judged token over held-out answers, in order of length for speed."""
    ordered = sorted(items, key=lambda item: len(item.prompt) + len(item.answer))
    sums, count, training = {"loss": 0.0, "accuracy": 0.0}, 0, model.training
    model.eval()
    for first in range(0, len(ordered), batch_size):
        part = judged_batch(ordered[first : first + batch_size], pad_id, mark=bool(model.config.num_experts))
        with precision.autocast():
            loss = correctness(model, part.to(precision.device))
        count += int(loss.count)
        for name in sums:
            sums[name] += float(loss.numbers[name])
    model.train(training)
    return {f"held_out_{name}": value / max(1, count) for name, value in sums.items()}
