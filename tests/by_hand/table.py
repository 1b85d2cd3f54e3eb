"""The table of the largest errors: `python -m tests.by_hand.table [SHAPES]`, over that many shapes of each part."""

import sys
from collections.abc import Iterable
from random import Random

import torch

from linnet.by_hand.examples import EXAMPLES
from tests.by_hand.cases import CASES, draw
from tests.by_hand.parity import LIMITS, measure, shape_of


def row(part: str, shapes: int, coordinates: int = 12) -> dict[str, float]:
    """Return the largest errors of a part over that many different shapes."""
    seen: set[tuple] = set()
    worst = dict.fromkeys(LIMITS, -1.0)
    random = Random(part)
    while len(seen) < shapes:
        example = draw(part, random)
        if shape_of(example) in seen:
            continue
        seen.add(shape_of(example))
        for name, error in measure(example, CASES[part], coordinates).items():
            worst[name] = max(worst[name], error)
    return worst


def main(shapes: int, parts: Iterable[str] = EXAMPLES) -> int:
    """Print the table of these parts; return 1 when an error is over its limit, else 0."""
    torch.set_num_threads(1)
    print("| part | shapes |", " | ".join(f"vs {name}" for name in LIMITS), "| module |")
    print("|---|" + "---|" * (len(LIMITS) + 2))
    over = 0
    for part in parts:
        errors = row(part, shapes)
        over += sum(error > LIMITS[name] for name, error in errors.items())
        cells = ["-" if error < 0 else f"{error:.0e}" for error in errors.values()]
        print(f"| {part} | {shapes} | {' | '.join(cells)} | {CASES[part].name} |", flush=True)
    limits = " | ".join(f"at most {limit:.0e}" for limit in LIMITS.values())
    print(f"| all | {shapes * len(list(parts))} | {limits} | |")
    return int(over > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
