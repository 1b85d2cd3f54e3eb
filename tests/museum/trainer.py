"""The small trainer of the exhibits: batches in a seeded order, a warm-up, AdamW, and a state to go on from."""

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from linnet.prove.parts import Rows, Trace, Training
from linnet.prove.subject import Subject
from tests.museum.networks import VOCABULARY, Decoder, next_token_loss, plain

ROWS, TOKENS, BATCH = 8, 8, 2
WARM_UP, RATE = 4, 0.01


class Trainer:
    """A training of a small decoder; exhibits replace one of its steps."""

    def __init__(self) -> None:
        self.model = Decoder(layers=1)
        self.optimizer = torch.optim.AdamW(self.parameters(), lr=RATE, weight_decay=0.1)
        self.rows = torch.randint(VOCABULARY, (ROWS, TOKENS), generator=torch.Generator().manual_seed(5))
        self.step = 0

    def parameters(self) -> Iterable[nn.Parameter]:
        """Return what the optimizer is given."""
        return self.model.parameters()

    def order(self, epoch: int) -> Tensor:
        """Return the order of the rows in an epoch, [N]."""
        return torch.randperm(ROWS, generator=torch.Generator().manual_seed(epoch))

    def batch(self) -> Tensor:
        """Return the ids of this step, [B, T]."""
        epoch, place = divmod(self.step, ROWS // BATCH)
        return self.rows[self.order(epoch)[place * BATCH :][:BATCH]]

    def rate(self) -> float:
        """Return the learning rate of this step."""
        return scheduled(self.step)

    def advance(self) -> tuple[Tensor, float]:
        """Learn from one batch; returns it, and the rate."""
        ids, rate = self.batch(), self.rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        next_token_loss(self.model(ids), ids, torch.ones_like(ids, dtype=torch.bool)).backward()
        self.before_step()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        return ids, rate

    def before_step(self) -> None:
        """Do what a trainer does between the gradient and the step."""

    def save(self) -> dict:
        """Return the state to go on from."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "step": self.step}
        return copy.deepcopy(state)

    def load(self, state: dict) -> None:
        """Go on from a state."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]


def scheduled(step: int) -> float:
    """Return the learning rate that a step, from 0, should have: a warm-up, then a decay."""
    return RATE * min((step + 1) / WARM_UP, WARM_UP / (step + 1))


def trained(trainer: Callable[[], Trainer], frozen: Sequence[str] = ()) -> Subject:
    """Return the subject of a training."""

    def run(steps: int, killed: int | None) -> Trace:
        one, batches, rates = trainer(), [], []
        for step in range(steps):
            if step == killed:
                state, one = one.save(), trainer()
                one.load(state)
            ids, rate = one.advance()
            batches.append(ids)
            rates.append(rate)
        weights = {name: parameter.detach().clone() for name, parameter in one.model.named_parameters()}
        return Trace(weights, batches, rates)

    return replace(plain(Decoder(layers=1)), training=Training(run, schedule=scheduled, frozen=tuple(frozen)))


def stepped(gradients: Callable[[Decoder, Sequence[Rows], float], None]) -> Subject:
    """Return the subject of a function that leaves in a model the gradients of one optimizer step."""

    def step(batches: Sequence[Rows], bound: float) -> dict[str, Tensor]:
        model = Decoder(layers=1)
        gradients(model, batches, bound)
        # A place that no row reaches has no gradient, whichever way the rows are cut.
        return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}

    return replace(plain(Decoder(layers=1)), training=Training(gradients=step))
