"""What a tuning begins with: a trained network, and conversations to learn and to measure."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from linnet.adapt.config import AdaptConfig
from linnet.adapt.surgery import adapt, counts
from linnet.batches.conversations import Conversations, Fitted, fit
from linnet.core.console import logger
from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder
from linnet.tasks.mixture import Mixture, read_mixture
from linnet.tasks.talks import Talk
from linnet.text.chat import Rendered, render_all
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import DistillConfig, TrainingConfig, TuningConfig
from linnet.train.optimizers import make_optimizer
from linnet.train.precision import Precision
from linnet.train.session import OneBatch
from linnet.train.state import Batches, N, TrainState
from linnet.train.validate import mean_loss

RENDERED_AT_ONCE = 1000


@dataclass(frozen=True)
class Talks:
    """The conversations of a tuning: as they were read, what of them fits, and as batches."""

    mixture: Mixture
    fitted: Fitted
    fitted_held_out: Fitted
    train: Conversations
    held_out: Conversations

    def line(self) -> str:
        """Say it in words."""
        learned = self.fitted.learned
        tokens = sum(example.places for example in self.fitted.examples)
        rows = f"{learned / tokens:.0%} of {tokens:,} tokens learned, {len(self.train.rows):,} rows"
        return f"{self.mixture.line()}; {self.fitted.line()}; {rows}, {self.train.filled:.0%} filled"

    def data_hashes(self) -> dict[str, str]:
        """Return the hashes of ids and masks, for run records."""
        return {"train": self.train.hash, "held_out": self.held_out.hash}

    def measure(self, model: Decoder, precision: Precision, most_tokens: int | None = None) -> tuple[float, int]:
        """Return the mean loss of the held-out replies in nats a target, and the number of targets."""
        size = self.held_out.batch_size * self.held_out.context
        most = None if most_tokens is None else max(1, math.ceil(most_tokens / size))
        return mean_loss(model, self.held_out.in_order(most), precision)

    def opening(self) -> list[int]:
        """Return the ids of a held-out question, up to where the reply begins."""
        first = self.fitted_held_out.examples[0]
        return first.ids[: int(first.learned.argmax())].tolist()


def read_talks(data: str, held_out: float, tokenizer: Tokenizer, batch_size: int, context: int, seed: int = 0) -> Talks:
    """Read a mixture and cut it into batches; raises BadInput when nothing fits, or nothing can be held out."""
    mixture = read_mixture(data, held_out)
    fitted, measured = (fit(_rendered(talks, tokenizer), context) for talks in (mixture.train, mixture.held_out))
    for what, found in (("to learn from", fitted), ("held out to measure on", measured)):
        if not found.examples:
            raise BadInput(f"--data {data}: no conversation {what} in a context of {context} tokens ({found.line()})")
    train, out = (Conversations(found.examples, batch_size, context, seed) for found in (fitted, measured))
    return Talks(mixture, fitted, measured, train, out)


class Asks(Protocol):
    """A recipe's choices, as far as surgery goes."""

    @property
    def adapt(self) -> AdaptConfig:
        """Return what of the model learns."""
        ...

    @property
    def parent(self) -> Path | None:
        """Return where the model comes from."""
        ...

    @property
    def seed(self) -> int:
        """Return the seed."""
        ...


def begin_adapting(cfg: Asks, model: N, tokenizer: Tokenizer | None = None, whole: Sequence[str] = ()) -> N:
    """Operate on a loaded network as --adapt asks, so that the rest of the recipe need not know, and return it.

    Called first thing after loading; `whole` names modules that learn with all their weights besides (a new head).
    Raises BadInput for targets that are not there, and for a network that is new.
    """
    adapted = cfg.adapt.method != "full"
    if adapted and cfg.parent is None:
        raise BadInput(f"--adapt.method {cfg.adapt.method}: a new network has nothing to keep; give one by --parent")
    adapt(model, cfg.adapt, tokenizer, cfg.seed, whole)
    if adapted:
        learn, total = counts(model).values()
        logger.info("%s: %d of %d parameters learn (%.2f%%)", cfg.adapt.method, learn, total, 100 * learn / total)
    return model


def warn_of_still_head(model: Decoder, method: str) -> None:
    """Warn where a model that never ended a reply is to learn it while its head, which would say so, stands still."""
    if not any(part.requires_grad for part in model.head.parameters()):
        logger.warning(
            "the base was never taught to chat, and with --adapt.method %s its head stands still: it will hardly learn "
            "where a reply ends; add head to --adapt.targets of lora, or begin from a model that chats",
            method,
        )


def begin_tuning(cfg: TrainingConfig, model: N, batches: Batches, precision: Precision) -> TrainState[N]:
    """Return a network on its device, with optimizer and batches, as they are before the first step.

    A network that `begin_adapting` was to operate on, and did not, is operated on here.
    """
    untouched = all(parameter.requires_grad for parameter in model.parameters())
    if isinstance(cfg, TuningConfig | DistillConfig) and cfg.adapt.method != "full" and untouched:
        begin_adapting(cfg, model)
    model = model.to(precision.device)
    model.checkpointing = cfg.checkpointing
    source = OneBatch(batches) if cfg.overfit_one_batch else batches
    return TrainState(model, make_optimizer(model, cfg.optimizer), source, precision)


def _rendered(talks: Sequence[Talk], tokenizer: Tokenizer) -> Iterator[Rendered]:
    for first in range(0, len(talks), RENDERED_AT_ONCE):
        yield from render_all(tokenizer, talks[first : first + RENDERED_AT_ONCE])
