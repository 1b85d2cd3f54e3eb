"""Reckoning: bare calculations, a line each, as children practise them before sums in words."""

from random import Random
from typing import Any

from linnet.data.world.combinations import Split, split_of

LINES = 24
LARGEST = 110  # of a number that is added or taken away
TABLE = 12  # of a factor


def row(rng: Random, split: Split, index: int) -> dict[str, Any]:
    """Return `text`: lines such as `29+2=31`; each calculation belongs to one split."""
    lines: list[str] = []
    while len(lines) < LINES:
        line = calculation(rng)
        if split_of("reckoning", line) == split:
            lines.append(line)
    return {"text": "\n".join(lines)}


def calculation(rng: Random) -> str:
    """Return a calculation with its result: mostly sums and differences, whose results are many more."""
    kind = rng.choices("+-*/", (45, 35, 10, 10))[0]
    if kind in "+-":
        a, b = rng.randint(2, LARGEST), rng.randint(2, LARGEST)
        return f"{a}+{b}={a + b}" if kind == "+" else f"{a + b}-{b}={a}"
    a, b = rng.randint(2, TABLE), rng.randint(2, TABLE)
    return f"{a}*{b}={a * b}" if kind == "*" else f"{a * b}/{a}={b}"


def text(row: dict[str, Any]) -> str:
    """Return the lines."""
    return str(row["text"])
