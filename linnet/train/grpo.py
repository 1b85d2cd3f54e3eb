"""GRPO: the clipped policy gradient of graded replies, each against the others to the same prompt.

B replies, T tokens, V vocabulary.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from linnet.batches.batch import IGNORE
from linnet.batches.rollouts import RolloutBatch
from linnet.model.decoder import Decoder
from linnet.train.objectives import Loss, Objective, with_balance

Averaging = Literal["constant", "token", "reply"]


def clipped_losses(logprobs: Tensor, old: Tensor, advantages: Tensor, low: float, high: float) -> Tensor:
    """Return the loss of each token [B, T]: -min(r A, clip(r, 1 - low, 1 + high) A), r = exp(logprobs - old).

    Schulman et al. 2017, equation 7; a `high` above `low` is the "clip-higher" of Yu et al. 2025 (DAPO).
    """
    ratio = (logprobs - old).exp()
    weight = advantages[:, None]
    return -torch.minimum(ratio * weight, ratio.clamp(1 - low, 1 + high) * weight)


def kl_estimates(logprobs: Tensor, reference: Tensor) -> Tensor:
    """Return q/p - ln(q/p) - 1 [B, T]: never negative, and KL(p, q) on average (Schulman 2020, "k3")."""
    difference = reference - logprobs
    return difference.exp() - difference - 1


def grpo_objective(
    averaging: Averaging = "constant",
    *,
    longest: int,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    kl_weight: float = 0.0,
    temperature: float = 1.0,
    balance_weight: float = 0.0,
) -> Objective:
    """Return the loss of rollouts as an objective.

    `averaging` says how tokens are summed up: by the mean over each `reply` (Shao et al. 2024, equation 3), which
    lets long wrong replies off lightly; over all tokens alike (`token`: Yu et al. 2025, DAPO); or divided by the
    `constant` that is the `longest` reply (Liu et al. 2025, Dr. GRPO). `kl_weight` weighs the KL to the reference,
    for which the batch must bring the reference's log-probabilities. A batch without `old` is of this very policy.
    """

    def objective(model: Decoder, batch: RolloutBatch) -> Loss:
        learned = batch.rows.targets != IGNORE
        logprobs, entropy = _read(model, batch, temperature)
        losses = clipped_losses(logprobs, _old(batch, logprobs), batch.advantages, clip_low, clip_high)
        numbers = {}
        if batch.reference is not None:
            kl = kl_estimates(logprobs, batch.reference)
            losses = losses + kl_weight * kl
            numbers["kl"] = _mean(kl.detach(), learned)
        lengths = learned.sum(1)
        count = lengths.sum() if averaging == "token" else torch.tensor(len(lengths), device=lengths.device)
        weights = {"constant": 1 / longest, "token": 1.0, "reply": 1 / lengths[:, None].to(losses.dtype)}[averaging]
        total = (losses * learned * weights).sum()
        numbers |= _numbers(batch, logprobs.detach(), clip_low, clip_high) | {"entropy": _mean(entropy, learned)}
        # The loop divides by the count; these are means already.
        sums = {"loss": total.detach(), **{name: number * count for name, number in numbers.items()}}
        return with_balance(Loss(total, count, sums), model, balance_weight)

    return objective


def _read(model: Decoder, batch: RolloutBatch, temperature: float) -> tuple[Tensor, Tensor]:
    """Return ln p of the sampled tokens and the entropy of the policy at each [B, T], zero elsewhere; in nats."""
    rows = batch.rows
    learned = rows.targets != IGNORE
    logits = model(rows.ids, positions=rows.positions, documents=rows.documents)[learned]
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32)) / temperature
    found = -F.cross_entropy(logits, rows.targets[learned], reduction="none")
    with torch.no_grad():
        logs = logits.log_softmax(-1)
        spread = -(logs.exp() * logs).sum(-1)
    empty = found.new_zeros(learned.shape)
    return empty.masked_scatter(learned, found), empty.masked_scatter(learned, spread)


def _old(batch: RolloutBatch, logprobs: Tensor) -> Tensor:
    return logprobs.detach() if batch.old is None else batch.old


def _numbers(batch: RolloutBatch, logprobs: Tensor, low: float, high: float) -> dict[str, Tensor]:
    learned = batch.rows.targets != IGNORE
    ratio, weight = (logprobs - _old(batch, logprobs)).exp(), batch.advantages[:, None]
    clipped = ((ratio < 1 - low) & (weight < 0)) | ((ratio > 1 + high) & (weight > 0))
    return {
        "reward": batch.rewards.mean(),
        "groups_with_signal": batch.with_signal,
        "reply_tokens": batch.lengths.float().mean(),
        "finished": batch.finished.float().mean(),
        "clipped": _mean(clipped.float(), learned),
    }


def _mean(values: Tensor, learned: Tensor) -> Tensor:
    return (values * learned).sum() / learned.sum()
