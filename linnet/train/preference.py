"""Learning from pairs of answers: DPO, IPO and SimPO as losses of log-probabilities; the reference of the first two.

B pairs, T tokens.
"""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from linnet.adapt.surgery import set_dropout
from linnet.batches.batch import IGNORE, Batch
from linnet.batches.pairs import PairBatch, Pairs, pair_batch
from linnet.model.decoder import Decoder
from linnet.train.objectives import Loss, Objective, with_balance
from linnet.train.precision import Precision

PreferenceLoss = Literal["sigmoid", "ipo", "simpo"]
# Rows to ln p of each learned token [B, T]. The network as it was, of `adapt.surgery.start_of`, is one.
Reference = Callable[[Batch], Tensor]


def token_logprobs(model: Decoder, rows: Batch, temperature: float = 1.0) -> Tensor:
    """Return ln p [B, T] of each learned target under logits / temperature; zero where nothing is learned."""
    logits = model(rows.ids, positions=rows.positions, documents=rows.documents)
    learned = rows.targets != IGNORE
    wanted = logits[learned]  # before the conversion: prompts are most of a row
    wanted = wanted.to(torch.promote_types(wanted.dtype, torch.float32))
    found = -F.cross_entropy(
        wanted if temperature == 1 else wanted / temperature, rows.targets[learned], reduction="none"
    )
    return found.new_zeros(learned.shape).masked_scatter(learned, found)


def sigmoid_losses(chosen: Tensor, rejected: Tensor, beta: float, label_smoothing: float = 0.0) -> Tensor:
    """Return DPO's loss of each pair [B] (Rafailov et al. 2023, equation 7): -ln sigmoid(beta (chosen - rejected)).

    Both are ln of policy / reference of whole answers [B]: where these are equal the loss is ln 2. `label_smoothing`
    is the share of pairs that are taken to be the wrong way round (Mitchell 2023, "conservative DPO").
    """
    margin = beta * (chosen - rejected)
    return -(1 - label_smoothing) * F.logsigmoid(margin) - label_smoothing * F.logsigmoid(-margin)


def ipo_losses(chosen: Tensor, rejected: Tensor, lengths: tuple[Tensor, Tensor], beta: float) -> Tensor:
    """Return IPO's loss of each pair [B] (Azar et al. 2023, equation 17): (difference - 1 / (2 beta))^2.

    The difference is of log-ratios averaged over the tokens of each answer: not in the paper's formula, but what its
    authors did, and what TRL does.
    """
    difference = chosen / lengths[0] - rejected / lengths[1]
    return (difference - 1 / (2 * beta)) ** 2


def simpo_losses(chosen: Tensor, rejected: Tensor, lengths: tuple[Tensor, Tensor], beta: float, gamma: float) -> Tensor:
    """Return SimPO's loss of each pair [B] (Meng et al. 2024, equation 6), which has no reference.

    Both are ln p of whole answers [B]; -ln sigmoid(beta (mean ln p of chosen - mean ln p of rejected) - gamma).
    """
    return -F.logsigmoid(beta * (chosen / lengths[0] - rejected / lengths[1]) - gamma)


@dataclass(frozen=True)
class Preferring:
    """Which loss, with its choices: `gamma` is SimPO's margin, `label_smoothing` is for sigmoid alone."""

    loss: PreferenceLoss = "sigmoid"
    beta: float = 0.1
    gamma: float = 0.0
    label_smoothing: float = 0.0

    @property
    def has_reference(self) -> bool:
        """Say whether answers are scored by ln policy / reference, or by ln policy alone."""
        return self.loss != "simpo"

    def losses(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """Return the loss of each pair [B] from the scores and tokens of its answers [2B]."""
        (chosen, rejected), sizes = both(scores), both(lengths)
        if self.loss == "sigmoid":
            return sigmoid_losses(chosen, rejected, self.beta, self.label_smoothing)
        if self.loss == "ipo":
            return ipo_losses(chosen, rejected, sizes, self.beta)
        return simpo_losses(chosen, rejected, sizes, self.beta, self.gamma)

    def rewards(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """Return the reward [2B] that the scores of answers stand for: beta times them, SimPO's of a mean token."""
        return self.beta * (scores if self.has_reference else scores / lengths)


def preference_objective(
    preferring: Preferring,
    reference: Reference | None = None,
    balance_weight: float = 0.0,
    chosen_weight: float = 0.0,
) -> Objective:
    """Return the loss of batches of pairs as an objective, summed over pairs.

    Where a batch does not bring the reference's ln p, `reference` is asked; raises ValueError when there is neither.
    `chosen_weight` times the plain loss of a mean token of the chosen answer is added to each pair's, so that its
    probability does not fall with that of the rejected one (Pang et al. 2024, arXiv 2404.19733, equation 2).
    Logged: rewards, their margin, the share of pairs in the right order, ln p and tokens of the answers.
    """

    def objective(model: Decoder, batch: PairBatch) -> Loss:
        policy = token_logprobs(model, batch.rows).sum(1)
        lengths = (batch.rows.targets != IGNORE).sum(1)
        scores = policy - _reference(batch, reference) if preferring.has_reference else policy
        losses = preferring.losses(scores, lengths)
        if chosen_weight:
            losses = losses - chosen_weight * both(policy)[0] / both(lengths)[0]
        total, count = losses.sum(), torch.tensor(batch.pairs, device=losses.device)
        rewards = preferring.rewards(scores.detach(), lengths)
        numbers = {"loss": total.detach(), **_numbers(policy.detach(), rewards, lengths)}
        return with_balance(Loss(total, count, numbers), model, balance_weight)

    return objective


def _numbers(policy: Tensor, rewards: Tensor, lengths: Tensor) -> dict[str, Tensor]:
    chosen, rejected = both(rewards)
    found = {"margin": (chosen - rejected).sum(), "accuracy": (chosen > rejected).sum()}
    for name, values in (("reward", rewards), ("logprob", policy), ("tokens", lengths)):
        for side, part in zip(("chosen", "rejected"), both(values), strict=True):
            found[f"{side}_{name}"] = part.sum()
    return found


def _reference(batch: PairBatch, reference: Reference | None) -> Tensor:
    if batch.reference is not None:
        return batch.reference
    if reference is None:
        raise ValueError("a loss against a reference needs one: in the batch, or as a function of its rows")
    return reference(batch.rows).sum(1)


def both(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the values [B] of the chosen and of the rejected answers from those of a batch's rows [2B]."""
    half = len(rows) // 2
    return rows[:half], rows[half:]


def without_dropout(model: Decoder) -> Decoder:
    """Return the network, its dropout off: noise in the policy alone would be read as a difference to the reference."""
    set_dropout(model, 0.0)
    return model


def still_copy(model: Decoder) -> Decoder:
    """Return a copy of the network as it is now, frozen for good."""
    return copy.deepcopy(model).eval().requires_grad_(False)


def logprobs_of(model: Decoder, precision: Precision, temperature: float = 1.0) -> Reference:
    """Return the network, with the weights it has when asked, as a source of log-probabilities without gradient."""
    return partial(_quietly, model, precision, temperature)


@torch.no_grad()
def _quietly(model: Decoder, precision: Precision, temperature: float, rows: Batch) -> Tensor:
    training = model.training
    model.eval()
    try:
        with precision.autocast():
            return token_logprobs(model, rows.to(precision.device), temperature)
    finally:
        model.train(training)


def reference_table(reference: Reference, pairs: Pairs, wanted: Iterable[int], batch_size: int = 32) -> Tensor:
    """Return [N, 2]: ln p of (chosen, rejected) under the reference for the wanted pairs, NaN for the others.

    Pairs are read by length, so little of it is padding; the order follows from the pairs alone, so a resumed run
    finds the same bits.
    """
    table = torch.full((len(pairs.items), 2), float("nan"))
    order = sorted(wanted, key=lambda number: (pairs.items[number].tokens, number))
    for first in range(0, len(order), batch_size):
        part = order[first : first + batch_size]
        batch = pair_batch([pairs.items[number] for number in part], pairs.pad_id, mark=pairs.mark)
        table[part] = torch.stack(both(reference(batch.rows).sum(1)), dim=1).float().cpu()
    return table
