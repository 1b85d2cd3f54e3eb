"""The kinds of rows the small world makes, how a row reads as plain text, and the mixture of texts to train on."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

from linnet.core.errors import BadInput, nearest
from linnet.data.world.combinations import Split, generator, known_split
from linnet.data.world.telling.stories import tell_story

Row = dict[str, Any]


class Kind(NamedTuple):
    """How a row is made, how it reads as text, and its share of the documents (0: not among them)."""

    row: Callable[[Random, Split, int], Row]
    text: Callable[[Row], str]
    share: float


def _story(rng: Random, split: Split, index: int) -> Row:
    return {"text": tell_story(rng, split).text}


TABLE: dict[str, Kind] = {
    "stories": Kind(_story, lambda row: row["text"], 1.0),
}


def rows(kind: str, split: str, seed: int, start: int) -> Iterator[Row]:
    """Yield the rows of a kind from row `start` on."""
    known, make = known_split(split), _known_kind(kind).row
    return (make(generator(seed, kind, known, index), known, index) for index in itertools.count(start))


def documents(split: str, seed: int, count: int | None, kinds: Sequence[str] | None) -> Iterator[str]:
    """Yield `count` texts of the mixture of `kinds` (all that have a share when None)."""
    known = known_split(split)
    names = [name for name, kind in TABLE.items() if kind.share] if kinds is None else list(kinds)
    shares = [_known_kind(name).share or 1.0 for name in names]
    numbers = itertools.count() if count is None else range(count)
    return (_document(names, shares, known, seed, index) for index in numbers)


def _document(names: list[str], shares: list[float], split: Split, seed: int, index: int) -> str:
    [name] = generator(seed, "mixture", split, index).choices(names, shares) if len(names) > 1 else names
    kind = TABLE[name]
    return kind.text(kind.row(generator(seed, name, split, index), split, index))


def _known_kind(kind: str) -> Kind:
    if kind not in TABLE:
        raise BadInput(f'the small world has no "{kind}".{nearest(kind, TABLE)} There are: {", ".join(TABLE)}')
    return TABLE[kind]
