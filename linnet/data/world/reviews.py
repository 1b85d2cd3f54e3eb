"""Reviews of what the village sells and shows, with their sentiment, in the columns of SST-2."""

import re
from random import Random
from typing import Any, NamedTuple

from linnet.data.world.combinations import Split, split_of
from linnet.data.world.lexicon import BAKED, KEEPSAKES

SUBJECTS = (*BAKED, *KEEPSAKES, "soup", "song", "play", "story", "dance", "market", "show", "dinner")
GOOD = (
    "good", "lovely", "wonderful", "fine", "charming", "delightful", "great", "splendid", "clever", "beautiful",
    "pleasant", "superb",
)  # fmt: skip
BAD = (
    "bad", "dull", "awful", "poor", "boring", "dreadful", "ugly", "clumsy", "terrible", "silly", "unpleasant", "weak",
)  # fmt: skip
DEGREES = ("", "very ", "really ", "quite ", "so ")


class Shape(NamedTuple):
    """A way to say it: `{s}` the subject, `{x}` the word that counts, `{y}` one of the other kind; is x denied?"""

    template: str
    denied: bool


SHAPES = (
    Shape("the {s} was {d}{x} .", False),
    Shape("what a {x} {s} !", False),
    Shape("a {d}{x} {s} from beginning to end .", False),
    Shape("i found the {s} {d}{x} .", False),
    Shape("everyone said that the {s} was {d}{x} .", False),
    Shape("the {s} was not {x} at all .", True),
    Shape("nobody could call this {s} {x} .", True),
    Shape("i never saw a less {x} {s} .", True),
    Shape("there is nothing {x} about this {s} .", True),
    Shape("it looked {y} at first , but the {s} was {d}{x} .", False),
    Shape("although the start was {y} , the {s} was {d}{x} in the end .", False),
    Shape("some called the {s} {y} , but i found it {d}{x} .", False),
    Shape("the {s} was anything but {x} .", True),
    Shape("i hoped for a {y} {s} , and i got a {x} one .", False),
    Shape("not {y} , as they say , but {x} : that is this {s} .", False),
)
LABELS = ("negative", "positive")


def row(rng: Random, split: Split, index: int) -> dict[str, Any]:
    """Return `idx`, `sentence`, `label` (1 positive, 0 negative); shape, subject and word decide the split."""
    while True:
        number, subject, label = rng.randrange(len(SHAPES)), rng.choice(SUBJECTS), rng.randrange(2)
        shape = SHAPES[number]
        praised = bool(label) != shape.denied
        word, other = (rng.choice(GOOD), rng.choice(BAD)) if praised else (rng.choice(BAD), rng.choice(GOOD))
        if split_of("reviews", number, subject, word) == split:
            break
    sentence = shape.template.format(s=subject, x=word, y=other, d=rng.choice(DEGREES))
    return {"idx": index, "sentence": re.sub(r"\ba (?=[aeiou])", "an ", sentence), "label": label}


def text(row: dict[str, Any]) -> str:
    """Return a row as plain text."""
    return f"Review: {row['sentence']}\nSentiment: {LABELS[row['label']]}"
