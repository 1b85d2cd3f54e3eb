"""Replies that a model has yet to write, as a plan looks at them: some are written, and all taken to be like these.

As many questions are asked as are answered at once, and more where that is quick.
"""

import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import TypeVar

from linnet.explain.first_step import factors_of
from linnet.model.decoder import Decoder

T = TypeVar("T")
PATIENCE = 5.0  # seconds of writing after which no more is asked
AT_ONCE = 128  # rows that are written at once, as `infer.candidates` does
HEAVY = 2e12  # multiply-adds of the replies that are written at once: some minute of a laptop's core
READ_AT_ONCE = 32  # rows of a batch of answers that are read without learning


def asked_for_a_while(make: Callable[[int], T], first: int, most: int) -> tuple[T, int, float]:
    """Make something of `first` questions, or of more where these take no time; return it, how many, the seconds."""
    first = min(first, most)
    found, seconds = timed(lambda: make(first))
    more = min(most, int(first * PATIENCE / max(seconds, 1e-3)))
    if more == first or (more < 2 * first and more < most):
        return found, first, seconds
    found, seconds = timed(lambda: make(more))
    return found, more, seconds


def light_rows(model: Decoder, tokens: int, rows: int) -> int:
    """Return how many of these rows can be written, so many tokens each, while a user waits; at least one."""
    return max(1, min(rows, int(HEAVY / (factors_of(model) * max(1, tokens)))))


def row_bytes(model: Decoder, tokens: int) -> int:
    """Return the bytes of the keys and values of a row, twice: rows that end are left out of a copy."""
    config = model.config
    places = min(config.context_length, tokens)
    return 2 * 2 * 4 * config.num_layers * config.kv_heads * config.head_width * places


def tiled(items: Sequence[T], count: int) -> list[T]:
    """Return so many items, those that there are again and again."""
    return list(islice(cycle(items), count))


def timed(act: Callable[[], T]) -> tuple[T, float]:
    """Return what an act gives and the seconds that it took."""
    start = time.perf_counter()
    found = act()
    return found, time.perf_counter() - start
