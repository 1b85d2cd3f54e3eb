"""Reckoning: bare calculations, a line each, as children practise them before sums in words."""

from random import Random
from typing import Any

from linnet.data.world.combinations import Split, split_of
from linnet.data.world.sums import compute, stages

LINES = 12
LARGEST = 110  # of a number that is added or taken away
TABLE = 12  # of a factor
HALVED = 60


def row(rng: Random, split: Split, index: int) -> dict[str, Any]:
    """Return `text`: lines such as `29+2 = 20+11 = 31`; each calculation belongs to one split."""
    lines: list[str] = []
    while len(lines) < LINES:
        expression = calculation(rng)
        if split_of("reckoning", expression) == split:
            lines.append(" = ".join([*stages(expression), str(compute(expression))]))
    return {"text": "\n".join(lines)}


def calculation(rng: Random) -> str:
    """Return a calculation: mostly sums and differences, of which there are many more."""
    sign = rng.choices("+-*/", (42, 34, 12, 12))[0]
    if sign in "+-":
        a, b = rng.randint(2, LARGEST), rng.randint(2, LARGEST)
        return f"{a}+{b}" if sign == "+" else f"{a + b}-{b}"
    if sign == "/" and rng.random() < 0.5:
        return f"{2 * rng.randint(2, HALVED)}/2"
    a, b = rng.randint(2, TABLE), rng.randint(2, TABLE)
    return f"{a}*{b}" if sign == "*" else f"{a * b}/{a}"


def text(row: dict[str, Any]) -> str:
    """Return the lines."""
    return str(row["text"])
