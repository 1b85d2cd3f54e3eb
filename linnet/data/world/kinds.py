"""The kinds of rows the small world makes, how a row reads as plain text, and the mixture of texts to train on."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

from linnet.core.errors import BadInput, nearest
from linnet.data.world import (
    choices,
    cloze,
    dialogues,
    facts,
    instructions,
    passages,
    preferences,
    reckoning,
    reviews,
    sums,
)
from linnet.data.world.combinations import Split, generator, known_split
from linnet.data.world.telling.stories import tell_story

Row = dict[str, Any]


class Kind(NamedTuple):
    """How a row is made, how it reads as text, and its share of the documents to train on."""

    row: Callable[[Random, Split, int], Row]
    text: Callable[[Row], str]
    columns: tuple[str, ...]
    share: float = 0.0
    stands_for: str = "none"


def _story(rng: Random, split: Split, index: int) -> Row:
    return {"text": tell_story(rng, split).text}


def _story_text(row: Row) -> str:
    return str(row["text"])


TABLE: dict[str, Kind] = {
    "stories": Kind(_story, _story_text, ("text",), 0.76, "roneneldan/TinyStories"),
    "facts": Kind(facts.row, facts.text, ("statement", "question", "answer"), 0.04),
    "sums": Kind(sums.row, sums.text, ("question", "answer"), 0.05, "openai/gsm8k"),
    "reviews": Kind(reviews.row, reviews.text, ("idx", "sentence", "label"), 0.03, "stanfordnlp/sst2"),
    "dialogues": Kind(dialogues.row, dialogues.text, ("id", "dialogue", "summary"), 0.04, "knkarthick/samsum"),
    "documents": Kind(passages.document_row, passages.document_text, ("id", "title", "text"), 0.03),
    "questions": Kind(
        passages.question_row,
        passages.question_text,
        ("id", "title", "context", "question", "answers"),
        stands_for="rajpurkar/squad",
    ),
    "instructions": Kind(
        instructions.row, instructions.text, ("instruction", "input", "output"), 0.05, "tatsu-lab/alpaca"
    ),
    "preferences": Kind(preferences.row, preferences.text, ("prompt", "chosen", "rejected", "reason")),
    "cloze": Kind(cloze.row, cloze.text, ("text",), stands_for="EleutherAI/lambada_openai"),
    "choices": Kind(choices.row, choices.text, ("goal", "sol1", "sol2", "label"), stands_for="ybisk/piqa"),
    "reckoning": Kind(reckoning.row, reckoning.text, ("text",)),
}


def rows(kind: str, split: str, seed: int, start: int) -> Iterator[Row]:
    """Yield the rows of a kind from row `start` on."""
    known, make = known_split(split), known_kind(kind).row
    return (make(_generator(kind, known, seed, index), known, index) for index in itertools.count(start))


def documents(split: str, seed: int, count: int | None, kinds: Sequence[str] | None) -> Iterator[str]:
    """Yield `count` texts of the mixture of `kinds` (all that have a share when None)."""
    known = known_split(split)
    names = [name for name, kind in TABLE.items() if kind.share] if kinds is None else list(kinds)
    if not names:
        raise BadInput("kinds is empty: name at least one kind of the small world")
    weights = [known_kind(name).share or 0.05 for name in names]  # a kind that is asked for by name takes part
    numbers = itertools.count() if count is None else range(count)
    return (_document(names, weights, known, seed, index) for index in numbers)


def _document(names: list[str], weights: list[float], split: Split, seed: int, index: int) -> str:
    [name] = generator(seed, "mixture", split, index).choices(names, weights) if len(names) > 1 else names
    kind = TABLE[name]
    return kind.text(kind.row(_generator(name, split, seed, index), split, index))


def _generator(kind: str, split: Split, seed: int, index: int) -> Random:
    if kind == "questions":  # they are asked about the documents of the same seed and split
        return generator(seed, "documents", split, index // passages.QUESTIONS_EACH)
    return generator(seed, kind, split, index)


def known_kind(kind: str) -> Kind:
    """Return a kind by name; raises BadInput for an unknown one."""
    if kind not in TABLE:
        raise BadInput(f'the small world has no kind "{kind}".{nearest(kind, TABLE)} There are: {", ".join(TABLE)}')
    return TABLE[kind]
