"""Linnet's own training on a tiny network of the same kind: the real loop, optimizer, state and resume.

B rows, T tokens.
"""

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.cursor import Cursor, Drawn
from linnet.model.config import ModelConfig
from linnet.model.network import Network, build
from linnet.prove.parts import Rows, Trace, Training
from linnet.train.config import TrainingConfig
from linnet.train.loop import steps
from linnet.train.objectives import Objective, next_token_objective
from linnet.train.optimizers import Together, make_optimizer
from linnet.train.precision import Precision
from linnet.train.schedules import factor
from linnet.train.state import TrainState

Learns = Callable[[float], Objective]
TOTAL = 6  # steps of the schedule
TOKENS, BATCH, POOL = 16, 4, 20  # tokens of a row, rows of a batch, rows there are: an epoch ends inside the training


def training_of(config: ModelConfig, training: TrainingConfig, learns: Learns = next_token_objective) -> Training:
    """Return the training of a tiny copy of this architecture with the optimizer and schedule of this config.

    `learns` makes the objective of a weight of the experts' balance; it is handed batches of next tokens.
    """
    small = tiny(config)
    return Training(
        run=partial(_run, small, training, learns),
        gradients=partial(_gradients, small.but(dropout=0.0), learns(0.0)),
        schedule=partial(factor, training.schedule, total=TOTAL),
        on=" of a tiny network of this kind",
    )


def tiny(config: ModelConfig) -> ModelConfig:
    """Return the same kind of network in thousands of weights, with dropout: its dice must survive."""
    grouped = config.kv_heads < config.num_heads
    return config.but(
        context_length=TOKENS,
        num_layers=min(2, config.num_layers),
        encoder_layers=None if config.encoder_layers is None else min(2, config.encoder_layers),
        hidden_size=16,
        num_heads=2,
        num_kv_heads=1 if grouped else 2,
        head_size=8,
        mlp_size=24,
        expert_size=None if config.expert_size is None else 12,
        ngram_buckets=min(64, config.ngram_buckets),
        num_experts=min(4, config.num_experts),
        experts_per_token=min(4, config.experts_per_token),
        window=None if config.window is None else min(6, config.window),
        moe_every=1,
        global_every=min(2, config.global_every),
        sink_tokens=min(2, config.sink_tokens),
        dropout=max(0.1, config.dropout),
    )


class Pool(Drawn[Batch]):
    """Batches from a pool of random rows, by the package's own cursor; keeps the ids of those that were drawn."""

    def __init__(self, vocab_size: int):
        super().__init__(Cursor(POOL, BATCH, 3, {}))
        draw = torch.Generator().manual_seed(2)
        self.rows = torch.randint(0, vocab_size, (POOL, TOKENS + 1), generator=draw)
        self.seen: list[Tensor] = []

    def batch(self, number: int) -> Batch:
        """Return the batch with this number and keep its ids."""
        ids = self.rows[[row for _, rows in self._cursor.items(number) for row in rows.tolist()]]
        self.seen.append(ids)
        return Batch(ids[:, :-1], ids[:, 1:])


class Given:
    """Batches that were handed over, once."""

    def __init__(self, batches: Sequence[Rows]):
        self._left = list(batches)

    def next(self) -> Batch:
        """Return the next of them."""
        rows = self._left.pop(0)
        return Batch(rows.ids[:, :-1], torch.where(rows.learned, rows.ids, IGNORE)[:, 1:].contiguous())

    def state(self) -> dict[str, Any]:
        """Return nothing: they are not resumed."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Do nothing."""


class Witness(torch.optim.Optimizer):
    """An optimizer that moves nothing and keeps a copy of the gradients that it is handed."""

    def __init__(self, named: dict[str, torch.nn.Parameter]):
        super().__init__(list(named.values()), {"lr": 1.0})
        self.named = named
        self.seen: dict[str, Tensor] = {}

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Keep the gradients."""
        self.seen = {name: p.grad.clone() for name, p in self.named.items() if p.grad is not None}


def _gradients(config: ModelConfig, objective: Objective, batches: Sequence[Rows], clip: float) -> dict[str, Tensor]:
    model = build(config, torch.Generator().manual_seed(4))
    _wake(model)
    witness = Witness(dict(model.named_parameters()))
    precision = Precision(torch.float32, torch.device("cpu"))
    # The scale of fp16 without its rounding: an order of clipping and unscaling that is wrong shows all the same.
    precision.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    state = TrainState(model, Together([witness]), Given(batches), precision)
    for _ in steps(state, objective, lambda _: 1.0, total=1, accumulate=len(batches), clip=clip):
        pass
    return witness.seen


def _run(config: ModelConfig, training: TrainingConfig, learns: Learns, count: int, killed_after: int | None) -> Trace:
    torch.manual_seed(training.seed)  # of dropout
    state, batches = _state(config, training, seed=training.seed)
    if killed_after is None:
        rates = _train(state, training, learns, count)
        return Trace(_weights(state.model), batches.seen, rates)
    before = _train(state, training, learns, killed_after)
    with tempfile.TemporaryDirectory() as folder:
        state.save(Path(folder) / "state")
        # Another process: other first weights, other dice, nothing drawn.
        torch.manual_seed(training.seed + 1)
        state, later = _state(config, training, seed=training.seed + 1)
        state.restore(Path(folder) / "state")
    rates = before + _train(state, training, learns, count)
    return Trace(_weights(state.model), batches.seen + later.seen, rates)


def _state(config: ModelConfig, training: TrainingConfig, seed: int) -> tuple[TrainState, Pool]:
    model = build(config, torch.Generator().manual_seed(seed))
    batches = Pool(config.vocab_size)
    precision = Precision(torch.float32, torch.device("cpu"))
    return TrainState(model, make_optimizer(model, training.optimizer), batches, precision), batches


def _train(state: TrainState, training: TrainingConfig, learns: Learns, until: int) -> list[float]:
    """Train with the real loop; return the factor that each step's learning rates had in the optimizer."""
    schedule = partial(factor, training.schedule, total=TOTAL)
    rates = []
    for _ in steps(state, learns(training.balance_weight), schedule, until, clip=training.clip):
        group = state.optimizer.groups()[0]
        rates.append(group["lr"] / group["peak_lr"])
    return rates


def _weights(model: Network) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


@torch.no_grad()
def _wake(model: Network) -> None:
    """Give every weight a size: a new network is the identity, and most of its gradients are zero."""
    draw = torch.Generator().manual_seed(5)
    for parameter in model.parameters():
        parameter.add_(0.2 * torch.randn(parameter.shape, generator=draw))
