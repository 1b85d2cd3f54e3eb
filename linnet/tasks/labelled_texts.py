"""Texts with labels in one word: a task whose choices are classes, or own rows with a column of text and of a label."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, islice
from typing import Any

from linnet.core.errors import BadInput
from linnet.data import sources
from linnet.data.split import is_held_out
from linnet.data.tables import text_of
from linnet.tasks import find
from linnet.tasks.rows import measured_split, read
from linnet.tasks.task import Example, Task

MOST_CLASSES = 1000


@dataclass(frozen=True)
class Labelled:
    """A text, the number of its class, and what else its row says, which a classifier is not shown."""

    text: str
    label: int
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LabelledTexts:
    """Texts to learn and to measure, and the names of the classes by number."""

    train: list[Labelled]
    held_out: list[Labelled]
    names: tuple[str, ...]
    protocol: str
    """How the held-out rows were chosen."""

    def line(self) -> str:
        """Say it in words."""
        sizes = f"{len(self.train):,} texts to learn from, {len(self.held_out):,} held out"
        return f"{sizes}, {len(self.names)} classes ({', '.join(self.names[:6])})"


def read_labelled(
    data: str, text_column: str, label_column: str, split: str, most: int, held_out: float
) -> LabelledTexts:
    """Read `TASK=SOURCE` (or `TASK`, of the small world), or rows with a column of text and one of labels.

    Held out is the split on which a task is measured where there is one, else a share by a hash of the text. Raises
    BadInput for a task without classes, rows without these columns, and classes that are on one side only.
    """
    name, equals, source = data.partition("=")
    if equals or _is_task(name):
        return _of_task(find(name), source or "world", split, most, held_out)
    rows = list(islice(sources.rows(data, split), most))
    names = tuple(sorted({_label(row, label_column, f"{data}, row {n:,}") for n, row in enumerate(rows, start=1)}))
    if not 2 <= len(names) <= MOST_CLASSES:
        raise BadInput(f'{data}: column "{label_column}" holds {len(names):,} labels; a classifier needs 2 to 1,000')
    found = []
    for number, row in enumerate(rows, start=1):
        text = text_of(row, text_column, f"{data}, row {number:,}")
        beside = {column: str(value) for column, value in row.items() if column not in (text_column, label_column)}
        found.append(Labelled(text, names.index(str(row[label_column])), beside))
    return _checked(data, _by_hash(found, names, held_out))


def _is_task(name: str) -> bool:
    from linnet.tasks import NAMES

    return name in NAMES


def _of_task(task: Task, source: str, split: str, most: int, held_out: float) -> LabelledTexts:
    if sources.is_world(source) and source == "world":
        source = f"world:{most}"
    train = list(islice(_labelled(task, source, split), most))
    names = _names(task, source, split)
    measured = "validation" if sources.is_world(source) else measured_split(task, source)
    if measured != split and _has(task, source, measured):
        limit = max(1, round(len(train) * held_out)) if sources.is_world(source) else None
        held = list(islice(_labelled(task, source, measured), limit))
        return _checked(f"{task.name}={source}", LabelledTexts(train, held, names, f"the split {measured}"))
    return _checked(f"{task.name}={source}", _by_hash(train, names, held_out))


def _has(task: Task, source: str, split: str) -> bool:
    """Say whether a data set has this split."""
    try:
        next(read(task, source, split))
    except BadInput:
        return False
    return True


def _labelled(task: Task, source: str, split: str) -> Iterator[Labelled]:
    for example in task.examples(read(task, source, split)):
        yield Labelled(text_shown(example), example.gold, _beside(example))


def text_shown(example: Example) -> str:
    """Return what an example of a class asks about, without the question: the classifier's is known."""
    return example.question.partition("\n")[2] or example.question


def _beside(example: Example) -> dict[str, str]:
    """Return the columns of a row that the question does not show, its label left out."""
    shown = example.question
    return {
        column: str(value)
        for column, value in example.row.items()
        if column != "label" and not (isinstance(value, str) and value.strip() and value.strip() in shown)
    }


def _names(task: Task, source: str, split: str) -> tuple[str, ...]:
    first = next(task.examples(read(task, source, split)))
    if task.form != "choose" or not first.choices:
        raise BadInput(f"the task {task.name} has no classes to tell apart; there are sentiment, fake_news, liar, ...")
    second = next(islice(task.examples(read(task, source, split)), 1, None), first)
    if second.choices != first.choices:
        raise BadInput(f"the task {task.name} has other choices in each row; a classifier needs the same classes")
    return tuple(choice.strip() for choice in first.choices)


def _label(row: Mapping[str, Any], column: str, where: str) -> str:
    if column not in row:
        raise BadInput(f'{where}: no column "{column}". There are: {", ".join(map(str, row))} (see --label-column)')
    return str(row[column])


def _by_hash(found: Sequence[Labelled], names: tuple[str, ...], share: float) -> LabelledTexts:
    held = [is_held_out(one.text, share) for one in found]
    train = list(compress(found, [not out for out in held]))
    return LabelledTexts(train, list(compress(found, held)), names, f"a share of {share:g} by a hash of the text")


def _checked(data: str, texts: LabelledTexts) -> LabelledTexts:
    for what, side in (("to learn from", texts.train), ("held out to measure on", texts.held_out)):
        classes = {one.label for one in side}
        if len(classes) < 2:
            raise BadInput(f"--data {data}: {len(side):,} texts of {len(classes)} class(es) {what}; give more rows")
    return texts
