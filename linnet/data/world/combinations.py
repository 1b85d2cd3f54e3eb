"""Which combination belongs to which split, and the random generator of each row: pure functions."""

import hashlib
import random
from typing import Literal

from linnet.core.errors import BadInput, nearest

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
# Of 256 values of a hash byte: the first 205 (80%) train, the next 25 validate, the last 26 test.
FIRST_VALIDATION, FIRST_TEST = 205, 230


def split_of(*parts: str | int) -> Split:
    """Return the split that a combination such as (plot, name, thing, place) belongs to, whatever the seed."""
    first = hashlib.sha256("/".join(map(str, parts)).encode()).digest()[0]
    return "train" if first < FIRST_VALIDATION else "validation" if first < FIRST_TEST else "test"


def generator(seed: int, kind: str, split: str, index: int) -> random.Random:
    """Return the generator of row `index`: rows need nothing from the rows before them."""
    digest = hashlib.sha256(f"{seed}/{kind}/{split}/{index}".encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "little"))


def known_split(split: str) -> Split:
    """Return `split` as one of SPLITS; raises BadInput for another name."""
    for known in SPLITS:
        if split == known:
            return known
    raise BadInput(f'the small world has no split "{split}".{nearest(split, SPLITS)} There are: {", ".join(SPLITS)}')
