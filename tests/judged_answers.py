"""Judged answers for tests: the small world's solutions, and the same with one number changed."""

from itertools import islice
from random import Random

from linnet.batches.judged import Judged
from linnet.data import world


def judged_answers(problems: int, wrong: int = 1, seed: int = 0) -> list[Judged]:
    """Return for each problem its right solution and `wrong` spoilt ones."""
    found = []
    for number, row in enumerate(islice(world.rows("sums", "train", seed), problems)):
        found.append(Judged(row["question"], row["answer"], True))
        for spoilt in range(wrong):
            found.append(Judged(row["question"], spoil(row["answer"], Random(f"{seed} {number} {spoilt}")), False))
    return found


def spoil(answer: str, draw: Random) -> str:
    """Change a digit of a solution."""
    digits = [place for place, letter in enumerate(answer) if letter.isdigit()]
    place = draw.choice(digits)
    return answer[:place] + str((int(answer[place]) + draw.randint(1, 9)) % 10) + answer[place + 1 :]
