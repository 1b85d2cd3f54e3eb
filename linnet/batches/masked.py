"""Rows with some of their tokens hidden: what a masked language model learns from (Devlin et al. 2019, BERT).

A share of each row's tokens is chosen, at least one; of these 80% become the mask token, 10% another token and 10%
stay, so that the network cannot know which to look at. Which they are is a pure function of the seed and the number of
the batch. Only the chosen ones are learned; a target stands at its own place, not one before. B rows, T tokens.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.packing import PackedRows
from linnet.batches.windows import Windows
from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig
from linnet.text.tokenizer import Tokenizer

MASK_NAMES = ("[MASK]", "<mask>", "<|mask|>")
HIDDEN, REPLACED = 0.8, 0.9  # below the first: the mask token; below the second: another token; else it stays


@dataclass(frozen=True)
class Masker:
    """Hides tokens: the id of the mask, the ids that may be chosen or stand in, and the share that is chosen."""

    mask_id: int
    ordinary: frozenset[int]
    share: float
    seed: int

    def masked(self, batch: Batch, number: int) -> Batch:
        """Return the batch of this number with tokens hidden; its targets are what was there, IGNORE elsewhere."""
        dice = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, number, 2])))
        ids = batch.ids.numpy()
        ordinary = np.array(sorted(self.ordinary))
        open_to = np.isin(ids, ordinary)
        if batch.documents is not None:
            open_to &= batch.documents.numpy() >= 0
        keys = np.where(open_to, dice.random(ids.shape), 2.0)
        count = np.where(open_to.any(1), np.maximum(1, np.round(self.share * open_to.sum(1))), 0)
        chosen = keys.argsort(1).argsort(1) < count[:, None]
        kind, others = dice.random(ids.shape), ordinary[dice.integers(0, len(ordinary), ids.shape)]
        shown = np.where(chosen & (kind < HIDDEN), self.mask_id, ids)
        shown = np.where(chosen & (kind >= HIDDEN) & (kind < REPLACED), others, shown)
        targets = np.where(chosen, ids, IGNORE)
        return Batch(torch.from_numpy(shown), torch.from_numpy(targets), batch.documents, batch.positions)


def mask_id(tokenizer: Tokenizer, config: ModelConfig) -> int:
    """Return the id that hides a token: the tokenizer's own, else the network's last one, which no text has.

    Raises BadInput when there is neither.
    """
    named = next((tokenizer.specials[name] for name in MASK_NAMES if name in tokenizer.specials), None)
    if named is not None:
        return named
    if config.vocab_size <= tokenizer.vocab_size:
        raise BadInput(
            f"no id is free for the mask: the tokenizer has no {MASK_NAMES[0]} and the network no id beyond its "
            f"{tokenizer.vocab_size:,}"
        )
    return config.vocab_size - 1


def with_mask(tokenizer: Tokenizer) -> int:
    """Return how many ids a network needs that reads this tokenizer's texts with tokens hidden."""
    return tokenizer.vocab_size + (not any(name in tokenizer.specials for name in MASK_NAMES))


def masker_of(tokenizer: Tokenizer, config: ModelConfig, share: float, seed: int) -> Masker:
    """Return what hides tokens of a tokenizer's texts; special tokens are never chosen and never stand in."""
    ordinary = frozenset(range(tokenizer.vocab_size)) - frozenset(tokenizer.specials.values())
    return Masker(mask_id(tokenizer, config), ordinary, share, seed)


class MaskedRows:
    """Batches of rows of a text with tokens hidden, without end; the n-th is a pure function of (seed, n)."""

    def __init__(self, rows: Windows | PackedRows, masker: Masker):
        self.rows, self.masker = rows, masker
        self._identity = {"mask_share": masker.share, "mask_seed": masker.seed, "mask_id": masker.mask_id}

    def batch(self, number: int) -> Batch:
        """Return the batch with this number (from 0), whatever was drawn before."""
        return self.masker.masked(self.rows.batch(number), number)

    def next(self) -> Batch:
        """Return the next batch and count it."""
        number = self.rows.drawn
        return self.masker.masked(self.rows.next(), number)

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON values."""
        return {**self.rows.state(), **self._identity}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken; raises BadInput when it was taken over other data or other masks."""
        for name, value in self._identity.items():
            if state.get(name) != value:
                raise BadInput(f"the data position cannot be resumed: {name} was {state.get(name)}, is {value} now")
        self.rows.restore(state)


def masked_in_order(batches: Iterable[Batch], masker: Masker) -> Iterator[Batch]:
    """Yield batches with tokens hidden, the same ones each time: what is held out is measured on them."""
    for number, batch in enumerate(batches):
        yield masker.masked(batch, number)


def as_rows(batch: Batch) -> Batch:
    """Return hidden tokens as next tokens of the row as it was, for eyes and instruments that know no masks."""
    was = torch.where(batch.targets == IGNORE, batch.ids, batch.targets)
    targets = torch.full_like(batch.targets, IGNORE)
    targets[:, :-1] = batch.targets[:, 1:]
    if batch.documents is not None:  # the first token of a document follows nothing
        targets[:, :-1][batch.documents[:, 1:] != batch.documents[:, :-1]] = IGNORE
    return Batch(was, targets, batch.documents, batch.positions)
