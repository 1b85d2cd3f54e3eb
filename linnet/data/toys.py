"""Two toy tasks on strings of letters, for networks that turn one text into another: say it backwards, sort it."""

from collections.abc import Iterator
from itertools import islice
from random import Random

from linnet.core.errors import BadInput

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SHORTEST, LONGEST = 3, 10
TOYS = ("reversal", "sorting")
COUNT = 20_000


def is_toy(data: str) -> bool:
    """Say whether a word names a toy task: `reversal[:COUNT[:SEED]]`, or `sorting`."""
    return data.partition(":")[0] in TOYS


def toy_rows(data: str) -> Iterator[dict[str, str]]:
    """Yield rows of `source` and `target`, each source once; raises BadInput for a word of another form."""
    name, *numbers = data.split(":")
    if len(numbers) > 2 or not all(number.isdecimal() for number in numbers):
        raise BadInput(f"{data}: a toy task is written {name}, {name}:COUNT or {name}:COUNT:SEED")
    count, seed = (int(number) for number in [*numbers, *(str(COUNT), "0")[len(numbers) :]])
    if count < 1:
        raise BadInput(f"{data}: a toy task needs at least 1 row")
    for source in islice(_sources(seed), count):
        letters = reversed(source) if name == "reversal" else sorted(source)
        yield {"source": source, "target": "".join(letters)}


def _sources(seed: int) -> Iterator[str]:
    draw, seen = Random(seed), set()
    while True:
        source = "".join(draw.choices(LETTERS, k=draw.randint(SHORTEST, LONGEST)))
        if source not in seen:
            seen.add(source)
            yield source
