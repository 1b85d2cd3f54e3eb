"""Pairs of a better and a worse answer to one prompt, as ids and as batches that can be resumed.

B pairs, T tokens.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress

import torch

from linnet.batches.batch import Batch
from linnet.batches.cursor import Cursor, Drawn, hash_of_ids
from linnet.batches.padding import pad
from linnet.core.errors import BadInput
from linnet.data.split import is_held_out
from linnet.text.chat import Message, render, reply_ids
from linnet.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Pair:
    """Two answers to what was said before; `reason` says why the second is worse, where that is known.

    Answers that are `unfinished` break off where they part: that they end there is not learned.
    """

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    reason: str = ""
    unfinished: bool = False


@dataclass(frozen=True)
class PairIds:
    """A pair as ids: what the model reads, and the two answers, with the token that stops each if they are whole."""

    prompt: tuple[int, ...]
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]
    reason: str = ""

    @property
    def tokens(self) -> int:
        """Return the tokens of the longer row."""
        return len(self.prompt) + max(len(self.chosen), len(self.rejected))


@dataclass(frozen=True)
class PairBatch:
    """`rows` [2B, T] holds the chosen answers and then, in the same order, the rejected ones; prompts are not learned.

    `reference` [2B] is ln p of each answer under the reference, where that was worked out before.
    """

    rows: Batch
    reference: torch.Tensor | None = None

    @property
    def pairs(self) -> int:
        """Return B."""
        return len(self.rows.ids) // 2

    def to(self, device: str | torch.device) -> "PairBatch":
        """Return the batch on a device."""
        return PairBatch(self.rows.to(device), None if self.reference is None else self.reference.to(device))


@dataclass(frozen=True)
class Encoded:
    """The pairs of a set that can be learned from, and how many rows were left out.

    They are too long, have two equal answers, or are no pair: two talks that differ before the last answer.
    """

    items: list[PairIds]
    too_long: int
    equal: int
    no_pair: int

    def line(self) -> str:
        """Say it in words."""
        left = [f"{self.too_long:,} too long for the context"] if self.too_long else []
        left += [f"{self.equal:,} of two equal answers"] if self.equal else []
        left += [f"{self.no_pair:,} of two different talks"] if self.no_pair else []
        return f"{len(self.items):,} pairs" + (f"; left out {', '.join(left)}" if left else "")


def encode(pairs: Iterable[Pair | None], tokenizer: Tokenizer, context: int) -> Encoded:
    """Return pairs as ids; raises BadInput when none is left that fits a context of so many tokens."""
    items: list[PairIds] = []
    too_long = equal = no_pair = 0
    for pair in pairs:
        if pair is None:
            no_pair += 1
            continue
        ids = pair_ids(pair, tokenizer)
        if ids.chosen == ids.rejected:
            equal += 1
        elif ids.tokens > context + 1:  # the last token is only predicted
            too_long += 1
        else:
            items.append(ids)
    if not items:
        raise BadInput(
            f"no pair to learn from: {too_long:,} are longer than the model's context of {context:,} tokens, "
            f"{equal:,} have two equal answers, {no_pair:,} are two different talks"
        )
    return Encoded(items, too_long, equal, no_pair)


def pair_ids(pair: Pair, tokenizer: Tokenizer) -> PairIds:
    """Return a pair in the chat format; only the two last answers are answers, earlier turns are prompt."""
    prompt = render(tokenizer, pair.prompt, reply=True).ids
    answers = (reply_ids(tokenizer, pair.prompt, said) for said in (pair.chosen, pair.rejected))
    chosen, rejected = (tuple(ids[:-1] if pair.unfinished else ids) for ids in answers)
    return PairIds(tuple(prompt), chosen, rejected, pair.reason)


def pair_batch(
    items: Sequence[PairIds], pad_id: int, reference: torch.Tensor | None = None, mark: bool = False
) -> PairBatch:
    """Return pairs as one batch, padded on the right; `reference` [B, 2] is ln p of (chosen, rejected).

    `mark` marks the padding, as a mixture of experts needs it.
    """
    examples = [(item.prompt, item.chosen) for item in items] + [(item.prompt, item.rejected) for item in items]
    rows = [([*prompt, *answer], [False] * len(prompt) + [True] * len(answer)) for prompt, answer in examples]
    return PairBatch(pad(rows, pad_id, mark=mark), None if reference is None else reference.T.flatten())


class Pairs(Drawn[PairBatch]):
    """Batches of pairs without end, each pair once an epoch, the n-th batch a pure function of (seed, n)."""

    def __init__(self, items: Sequence[PairIds], batch_size: int, seed: int, pad_id: int, mark: bool = False):
        self.items, self.pad_id, self.mark = list(items), pad_id, mark
        self.reference: torch.Tensor | None = None  # [N, 2] once it is known
        super().__init__(Cursor(len(self.items), batch_size, seed, {"pairs": data_hash(self.items)}))

    def numbers(self, batch: int) -> list[int]:
        """Return which pairs a batch holds."""
        return [item for _, items in self._cursor.items(batch) for item in items.tolist()]

    def drawn_in(self, batches: int) -> list[int]:
        """Return which pairs the first so many batches hold, in order of their numbers."""
        if batches * self._cursor.batch_size >= len(self.items):
            return list(range(len(self.items)))
        return sorted({number for batch in range(batches) for number in self.numbers(batch)})

    def batch(self, number: int) -> PairBatch:
        """Return the batch with this number (from 0), whatever was drawn before."""
        numbers = self.numbers(number)
        reference = None if self.reference is None else self.reference[numbers]
        return pair_batch([self.items[number] for number in numbers], self.pad_id, reference, self.mark)


def hold_out(items: Sequence[PairIds], share: float) -> tuple[list[PairIds], list[PairIds]]:
    """Return (to learn, held out): a hash of the prompt decides, so no prompt is on both sides."""
    held = [prompt_is_held_out(item.prompt, share) for item in items]
    return list(compress(items, [not out for out in held])), list(compress(items, held))


def data_hash(items: Sequence[PairIds]) -> str:
    """Return the SHA-256 of the ids of all pairs, in order."""
    return hash_of_ids(part for item in items for part in (item.prompt, item.chosen, item.rejected))


def prompt_is_held_out(prompt: Sequence[int], share: float) -> bool:
    """Say whether a prompt belongs to the share that is kept out of training: a matter of its ids alone."""
    return is_held_out(" ".join(map(str, prompt)), share)
