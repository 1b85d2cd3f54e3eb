"""A training as it is before its first step: network, loss, a batch of any number of rows, and what a run does besides.

A row is what a batch counts by: a window, a packed row, a text, a pair of answers, a source with its target, a
question with its passage, a reply.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from linnet.batches.batch import Batch
from linnet.batches.judged import Judged
from linnet.batches.pairs import PairBatch, Pairs
from linnet.batches.questions import QuestionBatch
from linnet.batches.rollouts import RolloutBatch
from linnet.batches.source_target import SourceTargetBatch
from linnet.explain.probe import NO_WRITING, Writing
from linnet.model.decoder import Decoder
from linnet.model.network import Network
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import TrainingConfig
from linnet.train.objectives import Objective
from linnet.train.precision import Precision
from linnet.train.state import TrainState

# Whatever a run may do before its first step: (network, steps, seed, trained).
Prove = Callable[[Network, int, int, bool], None]
# Replies of a policy to the first prompts of pairs: (policy, start, tokenizer, pairs, precision, seed, how many).
WriteReplies = Callable[[Decoder, Decoder, Tokenizer, Pairs, Precision, int, int], Any]
# What a verifier's scores are held against: (answers learned, answers judged, scores, parent, tokenizer, seed).
Judge = Callable[[list[Judged], list[Judged], list[float], Decoder, Tokenizer, int], Any]
LOOKED_AT = 200  # batches whose width is looked at, where it varies


@dataclass(frozen=True)
class Measuring:
    """Held-out rows that are read without learning: once before, at each evaluation, at the end; rows in a batch."""

    before: int
    each: int
    last: int
    batch: int


@dataclass(frozen=True)
class Chore:
    """What a run does beside learning and reading rows: `take` does it and returns its seconds; the rest is Work's."""

    name: str
    take: Callable[[], float]
    before: float = 0.0
    each_step: float = 0.0
    each_look: float = 0.0
    last: float = 0.0

    @property
    def times(self) -> tuple[float, float, float, float]:
        """Return how often it comes."""
        return self.before, self.each_step, self.each_look, self.last


@dataclass(frozen=True)
class Elsewhere:
    """What a run does by rooms that stand beside this one, handed in from above."""

    prove: Prove
    replies: WriteReplies
    judge: Judge


@dataclass(frozen=True)
class Beginning:
    """A training as it is before its first step. `widest` is the widest batch, `share` the mean width beside its."""

    state: TrainState
    objective: Objective
    widest: Any
    measuring: Measuring
    share: float = 1.0
    paces: bool = True
    """Whether the recipe measures its share of the matmul limit."""
    renewed: bool = False
    """Whether the probe steps on batches of a run's own widths too, by which the process grows."""
    chores: tuple[Chore, ...] = ()
    writing: Writing = NO_WRITING
    spent: float = 0.0
    """Seconds that went by on the way here for looking alone: a run spends them as its chores say."""
    grown: int = 0
    """Bytes that the process grew by meanwhile."""

    def rows(self, count: int) -> Any:
        """Return a batch of so many rows, as wide as the widest; rows come again where there are too few."""
        size = rows_in(self.widest)
        return chosen(self.widest, [number % size for number in range(count)])


def rows_in(batch: Any) -> int:
    """Return how many rows a batch has."""
    if isinstance(batch, PairBatch):
        return batch.pairs
    if isinstance(batch, QuestionBatch):
        return len(batch.numbers)
    if isinstance(batch, RolloutBatch):
        return len(batch.rewards)
    return len(batch.source if isinstance(batch, SourceTargetBatch) else batch.ids)


def places_in(batch: Any) -> int:
    """Return how many tokens a batch has room for, padding included."""
    if isinstance(batch, PairBatch | RolloutBatch):
        return batch.rows.ids.numel()
    if isinstance(batch, SourceTargetBatch):
        return batch.source.numel() + batch.target.ids.numel()
    if isinstance(batch, QuestionBatch):
        return batch.questions.numel() + batch.passages.numel()
    return batch.ids.numel()


def chosen(batch: Any, numbers: list[int]) -> Any:
    """Return some rows of a batch, in this order, as wide as they were."""
    if isinstance(batch, PairBatch):
        both = [*numbers, *(number + batch.pairs for number in numbers)]
        return PairBatch(chosen(batch.rows, both), None if batch.reference is None else batch.reference[both])
    if isinstance(batch, RolloutBatch):
        return _replies(batch, numbers)
    if isinstance(batch, QuestionBatch):
        questions, passages = (part[numbers] for part in (batch.questions, batch.passages))
        lengths = (part[numbers] for part in (batch.question_lengths, batch.passage_lengths))
        first, second = lengths
        return QuestionBatch(questions, first, passages, second, batch.numbers[numbers])
    if isinstance(batch, SourceTargetBatch):
        target = chosen(batch.target, numbers)
        return replace(batch, source=batch.source[numbers], source_lengths=batch.source_lengths[numbers], target=target)
    if isinstance(batch, Batch):
        documents, positions = (None if part is None else part[numbers] for part in (batch.documents, batch.positions))
        return Batch(batch.ids[numbers], batch.targets[numbers], documents, positions)
    return replace(batch, ids=batch.ids[numbers], lengths=batch.lengths[numbers], labels=batch.labels[numbers])


def factors_of(model: nn.Module) -> int:
    """Return the numbers that take part in products: those of matrices, not of tables that are only looked up."""
    modules = list(model.modules())
    tables = {module.weight for module in modules if isinstance(module, nn.Embedding)}
    tables -= {module.weight for module in modules if isinstance(module, nn.Linear)}
    return sum(p.numel() for p in model.parameters() if p.ndim > 1 and p not in tables)


def _replies(batch: RolloutBatch, numbers: list[int]) -> RolloutBatch:
    """Return some replies; where they are no whole groups, each is one of its own."""
    parts = (batch.rewards, batch.advantages, batch.finished)
    rewards, advantages, finished = (part[numbers] for part in parts)
    old, reference = (None if part is None else part[numbers] for part in (batch.old, batch.reference))
    group = batch.group if len(numbers) % batch.group == 0 else 1
    return RolloutBatch(chosen(batch.rows, numbers), rewards, advantages, group, finished, old, reference)


def widest(batch: Callable[[int], Any], cfg: TrainingConfig) -> tuple[Any, float]:
    """Return the widest of the first batches, and the mean width beside it."""
    drawn = 1 if cfg.overfit_one_batch else min(LOOKED_AT, cfg.steps * cfg.accumulate)
    found = [batch(number) for number in range(drawn)]
    sizes = [places_in(one) for one in found]
    return found[sizes.index(max(sizes))], sum(sizes) / len(sizes) / max(sizes)
