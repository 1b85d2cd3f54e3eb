"""Answers that are known to be right or wrong, as ids and as batches: what a verifier learns from.

B rows, T tokens.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
import torch

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.cursor import Cursor, Drawn, hash_of_ids
from linnet.core.errors import BadInput, NothingToLearn
from linnet.data.split import is_held_out
from linnet.model.config import ModelConfig
from linnet.text.chat import Message, render, reply_ids
from linnet.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Judged:
    """An answer to a problem, and whether it is right."""

    problem: str
    answer: str
    right: bool


@dataclass(frozen=True)
class JudgedIds:
    """A judged answer as ids: the problem up to where a reply begins, and the reply with the token that stops it."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    right: bool


def answer_ids(tokenizer: Tokenizer, problem: str, answer: str) -> tuple[list[int], list[int]]:
    """Return what a verifier reads, in the chat format: the ids before the answer, and those of it with its stop."""
    messages = [Message("user", problem)]
    return render(tokenizer, messages, reply=True).ids, reply_ids(tokenizer, messages, answer)


def encode(
    judged: Iterable[Judged], tokenizer: Tokenizer, config: ModelConfig, blind: bool = False
) -> tuple[list[JudgedIds], list[Judged]]:
    """Return judged answers as ids, and the answers that these are of: what is longer than the context is left out.

    `blind` leaves the problems out: what can be told from an answer alone. Raises BadInput when nothing is left.
    """
    context = config.context_length
    ids, kept = [], []
    for one in judged:
        prompt, answer = answer_ids(tokenizer, one.problem, one.answer)
        if len(prompt) + len(answer) <= context:  # also where the problem is left out: to compare the same answers
            if blind:
                prompt, answer = answer_ids(tokenizer, "", one.answer)
            ids.append(JudgedIds(tuple(prompt), tuple(answer), one.right))
            kept.append(one)
    if not ids:
        raise BadInput(f"no answer and its problem fit the model's context of {context:,} tokens")
    return ids, kept


def judged_batch(items: Sequence[JudgedIds], pad_id: int, mark: bool = False) -> Batch:
    """Return judged answers as a batch [B, T]: the target at each token of an answer is 1 (right) or 0, else IGNORE.

    The target stands at the token itself, not one before: it is no next token but a judgement of what was read. With
    `mark` padding is -1 in `documents`, as a mixture of experts needs it.
    """
    width = max(len(item.prompt) + len(item.answer) for item in items)
    ids = torch.full((len(items), width), pad_id, dtype=torch.int64)
    targets = torch.full((len(items), width), IGNORE, dtype=torch.int64)
    documents = torch.full((len(items), width), -1, dtype=torch.int64) if mark else None
    for row, item in enumerate(items):
        start, end = len(item.prompt), len(item.prompt) + len(item.answer)
        ids[row, :end] = torch.tensor(item.prompt + item.answer)
        targets[row, start:end] = int(item.right)
        if documents is not None:
            documents[row, :end] = 0
    return Batch(ids, targets, documents)


def as_written(batch: Batch) -> Batch:
    """Return a batch of judged answers as one of next tokens, in which what is judged is what is learned.

    For eyes and instruments that know no judgements (the X-ray): the targets are the judged tokens themselves.
    """
    targets = torch.full_like(batch.targets, IGNORE)
    targets[:, :-1] = torch.where(batch.targets[:, 1:] != IGNORE, batch.ids[:, 1:], IGNORE)
    return Batch(batch.ids, targets, batch.documents)


class JudgedRows(Drawn[Batch]):
    """Batches of judged answers without end, each once an epoch; the n-th is a pure function of (seed, n)."""

    def __init__(self, items: Sequence[JudgedIds], batch_size: int, seed: int, pad_id: int, mark: bool = False):
        self.rows, self.pad_id, self.mark = list(items), pad_id, mark
        super().__init__(Cursor(len(self.rows), batch_size, seed, {"judged": data_hash(self.rows)}))

    def batch(self, number: int) -> Batch:
        """Return the batch with this number (from 0), whatever was drawn before."""
        numbers = [item for _, items in self._cursor.items(number) for item in items.tolist()]
        return judged_batch([self.rows[number] for number in numbers], self.pad_id, self.mark)


def hold_out(judged: Sequence[Judged], share: float) -> tuple[list[Judged], list[Judged]]:
    """Return (to learn, held out): a hash of the problem's words decides, whatever their case and spaces.

    Raises NothingToLearn where a side has no right or no wrong answers.
    """
    held = [is_held_out(" ".join(one.problem.lower().split()), share) for one in judged]
    sides = list(compress(judged, [not out for out in held])), list(compress(judged, held))
    for name, side in zip(("to learn from", "held out"), sides, strict=True):
        right = sum(one.right for one in side)
        if not 0 < right < len(side):
            raise NothingToLearn(
                f"{right:,} right and {len(side) - right:,} wrong answers are {name}; a verifier needs both: take more "
                "problems, more answers to each, or another temperature"
            )
    return sides


def balanced(judged: Sequence[Judged], seed: int) -> list[Judged]:
    """Return as many right as wrong answers, in order; of the commoner kind some are left out by a seeded draw.

    The draw asks nothing else of an answer: then only the odds of being right change, which Bayes' rule mends. To
    keep, say, those of problems with both kinds would teach that what is easy, and always right, is wrong.
    """
    right = sum(one.right for one in judged)
    common = [place for place, one in enumerate(judged) if one.right == (right * 2 > len(judged))]
    dice = np.random.default_rng(seed)
    dropped = set(dice.choice(common, size=abs(2 * right - len(judged)), replace=False).tolist()) if common else set()
    return [one for place, one in enumerate(judged) if place not in dropped]


def data_hash(items: Sequence[JudgedIds]) -> str:
    """Return the SHA-256 of the ids and judgements, in order."""
    return hash_of_ids(part for item in items for part in (item.prompt, item.answer, (int(item.right),)))
