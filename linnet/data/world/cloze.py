"""Cloze rows in the shape of LAMBADA: a story whose last word only its beginning tells."""

from random import Random
from typing import Any

from linnet.data.world.combinations import Split
from linnet.data.world.lexicon import BAKED, FRUITS, NAMES, PLACES, REPAIRS, THINGS
from linnet.data.world.telling.stories import tell_story

TARGETS = frozenset((*NAMES, *THINGS, *PLACES, *BAKED, *REPAIRS, *FRUITS.values()))


def row(rng: Random, split: Split, index: int) -> dict[str, Any]:
    """Return `text`: a story of the split, without its last full stop, that ends with a word from its own beginning."""
    while True:
        story = tell_story(rng, split).text.removesuffix(".")
        before, _, last = story.rpartition(" ")
        if last in TARGETS and f" {last}" in before.rpartition(". ")[0]:
            return {"text": story}


def text(row: dict[str, Any]) -> str:
    """Return a row as plain text."""
    return str(row["text"])
