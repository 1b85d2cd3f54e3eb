"""The verifier's loss: after each token of an answer, is the answer right? (Cobbe et al. 2021, arXiv 2110.14168.)

A verifier goes on being the language model that it was made from: how likely it finds an answer is evidence to begin
with, and what the score learns is the rest.

B rows, T tokens.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from linnet.adapt.heads import with_head, with_score
from linnet.batches.batch import IGNORE, Batch
from linnet.batches.judged import JudgedIds, JudgedRows, judged_batch
from linnet.metrics import logistic_line
from linnet.model.decoder import Decoder
from linnet.model.judging import NO_EVIDENCE, Evidence, ln_odds
from linnet.train.config import VerifierConfig
from linnet.train.objectives import Loss, Objective, with_balance
from linnet.train.precision import Precision
from linnet.train.state import TrainState
from linnet.train.tuning import begin_adapting, begin_tuning

LOOKED_AT = 2048  # answers that say what likelihood is worth


def correctness(model: Decoder, batch: Batch, balance_weight: float = 0.0, evidence: Evidence = NO_EVIDENCE) -> Loss:
    """Binary cross-entropy in nats of the ln odds at each token, summed over the judged tokens (targets 0 or 1).

    `numbers` has the loss and how many tokens fall on the right side of one half.
    """
    judged = batch.targets != IGNORE
    odds = _odds(model, batch, evidence)
    wanted = batch.targets.clamp(min=0).to(odds.dtype)
    losses = F.binary_cross_entropy_with_logits(odds, wanted, reduction="none")
    total = torch.where(judged, losses, 0).sum()
    hits = ((odds > 0) == (wanted > 0.5)) & judged
    loss = Loss(total, judged.sum(), {"loss": total.detach(), "accuracy": hits.sum().to(total.dtype)})
    return with_balance(loss, model, balance_weight)


def _odds(model: Decoder, batch: Batch, evidence: Evidence) -> Tensor:
    """Return the ln odds [B, T] at each token; the first of a row, which nothing stands before, is never judged."""
    logits = model(batch.ids, positions=batch.positions, documents=batch.documents)
    before = F.pad(logits[:, :-1], (0, 0, 1, 0)) if evidence.weight else logits
    return ln_odds(logits, before, batch.ids, batch.targets != IGNORE, evidence)


def correctness_objective(balance_weight: float = 0.0, evidence: Evidence = NO_EVIDENCE) -> Objective:
    """Return `correctness` as an objective."""
    return partial(correctness, balance_weight=balance_weight, evidence=evidence)


def begin(
    parent: Decoder, items: list[JudgedIds], pad_id: int, cfg: VerifierConfig, precision: Precision
) -> TrainState[Decoder]:
    """Return a verifier on the parent's trunk, its optimizer and batches, as they are before the first step."""
    model = with_score(parent) if cfg.likelihood else with_head(parent, 1, torch.Generator().manual_seed(cfg.seed))
    model = begin_adapting(cfg, model, whole=["head"])
    batches = JudgedRows(items, cfg.batch_size, cfg.seed, pad_id, mark=bool(model.config.num_experts))
    return begin_tuning(cfg, model, batches, precision)


@torch.no_grad()
def find_evidence(
    model: Decoder, items: list[JudgedIds], pad_id: int, precision: Precision, batch_size: int = 32
) -> Evidence:
    """Return what ln p of an answer says of it under a model before training, by the first answers to learn from.

    That is the logistic line through them. A network without words gets none.
    """
    if model.config.output_size == 1:
        return NO_EVIDENCE
    likelihood, right, training = [], [], model.training
    model.eval()
    for first in range(0, min(len(items), LOOKED_AT), batch_size):
        part = items[first : first + batch_size]
        with precision.autocast():
            batch = judged_batch(part, pad_id, mark=bool(model.config.num_experts)).to(precision.device)
            odds = _odds(model, batch, Evidence(1.0))
        last = torch.tensor([len(item.prompt) + len(item.answer) - 1 for item in part], device=odds.device)
        likelihood += odds.gather(1, last[:, None]).squeeze(1).tolist()
        right += [item.right for item in part]
    model.train(training)
    return Evidence(*logistic_line(right, likelihood))


@torch.no_grad()
def held_out_numbers(
    model: Decoder,
    items: list[JudgedIds],
    pad_id: int,
    precision: Precision,
    batch_size: int = 32,
    evidence: Evidence = NO_EVIDENCE,
) -> dict[str, float]:
    """Return the mean loss and accuracy of a judged token over held-out answers, in order of length for speed."""
    ordered = sorted(items, key=lambda item: len(item.prompt) + len(item.answer))
    sums, count, training = {"loss": 0.0, "accuracy": 0.0}, 0, model.training
    model.eval()
    for first in range(0, len(ordered), batch_size):
        part = judged_batch(ordered[first : first + batch_size], pad_id, mark=bool(model.config.num_experts))
        with precision.autocast():
            loss = correctness(model, part.to(precision.device), evidence=evidence)
        count += int(loss.count)
        for name in sums:
            sums[name] += float(loss.numbers[name])
    model.train(training)
    return {f"held_out_{name}": value / max(1, count) for name, value in sums.items()}
