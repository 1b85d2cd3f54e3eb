"""The small world: a village with known truth, generated from a seed.

`rows(kind)` gives rows with the columns of the data set each kind stands for, `documents()` the plain texts to train
on, `check_story` says whether a story is grammatical and consistent. Train, validation and test differ by combination.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linnet.data.world.checker import Tally, Verdict

KINDS = (
    "stories", "facts", "sums", "reviews", "dialogues", "documents", "questions", "instructions", "preferences",
    "cloze", "choices", "reckoning",
)  # fmt: skip
# Every story begins with this word and no other document does: a prompt that asks for a story.
STORY_START = "One"


def rows(kind: str, split: str = "train", seed: int = 0, start: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the rows of a kind from row `start` on, without end.

    Row i is a pure function of (seed, kind, split, i). A small kind repeats rows once its combinations are used up.
    Raises BadInput for an unknown kind or split.
    """
    from linnet.data.world.kinds import rows

    return rows(kind, split, seed, start)


def documents(
    split: str = "train", seed: int = 0, count: int | None = None, kinds: Sequence[str] | None = None
) -> Iterator[str]:
    """Yield `count` plain texts (without end when None): the mixture of all kinds, or of `kinds` only.

    Document i is a pure function of (seed, split, kinds, i). Raises BadInput for an unknown kind or split.
    """
    from linnet.data.world.kinds import documents

    return documents(split, seed, count, kinds)


def check_story(text: str) -> "Verdict":
    """Return what is wrong with a story: `.ok`, and `.problems` with a category, the sentence and the reason."""
    from linnet.data.world.checker import check_story

    return check_story(text)


def check_stories(texts: Sequence[str]) -> "Tally":
    """Check many stories: how many are consistent, and the first problem of the others by category."""
    from linnet.data.world.checker import check_stories

    return check_stories(texts)
