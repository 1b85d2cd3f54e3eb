"""Sources and targets in one word: a toy task, tasks such as summaries, or own rows with two columns of text."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress, islice

from linnet.core.errors import BadInput
from linnet.data import sources
from linnet.data.split import is_held_out
from linnet.data.tables import text_of
from linnet.data.toys import is_toy, toy_rows
from linnet.tasks.mixture import Part, parts
from linnet.tasks.task import Example, Task


@dataclass(frozen=True)
class TextPairs:
    """Examples to learn and to measure: an example's question is the source, its answer the target.

    `task` is the one task that all of them are of, None for toys, own rows and mixtures.
    """

    train: list[Example]
    held_out: list[Example]
    task: Task | None

    def line(self) -> str:
        """Say it in words."""
        return f"{len(self.train):,} pairs to learn from, {len(self.held_out):,} held out"


def read_text_pairs(
    data: str, source_column: str, target_column: str, split: str, held_out: float, held_out_split: str = ""
) -> TextPairs:
    """Read the pairs of `reversal`, `sorting`, a mixture as of `linnet sft`, or rows with two columns.

    A share is held out, by a hash of the source; of the small world as rows of its validation split. Of other data
    `held_out_split` names a split that is held out instead. Raises BadInput for rows without these columns, and when
    nothing is left on one side.
    """
    if is_toy(data):
        train, held = _split([_plain(row["source"], row["target"]) for row in toy_rows(data)], held_out)
        return _checked(data, TextPairs(train, held, None))
    train, held, tasks = [], [], []
    for part in parts(data):
        tasks.append(part.task)
        some = list(_examples(part, split, source_column, target_column))
        if part.is_world:
            train += some
            held += islice(_examples(part, "validation", source_column, target_column), max(1, _share(some, held_out)))
        elif held_out_split:
            train += some
            held += _examples(part, held_out_split, source_column, target_column)
        else:
            learn, measure = _split(some, held_out)
            train, held = train + learn, held + measure
    task = tasks[0] if len({id(task) for task in tasks}) == 1 else None
    return _checked(data, TextPairs(train, held, task))


def _examples(part: Part, split: str, source_column: str, target_column: str) -> Iterator[Example]:
    from linnet.tasks.rows import read

    if part.task is not None:
        found = part.task.examples(islice(read(part.task, part.source, split), part.most))
        yield from (one for one in found if one.question.strip() and one.answer.strip())
        return
    for number, row in enumerate(islice(sources.rows(part.source, split), part.most), start=1):
        where = f"{part.source}, row {number:,}"
        columns = (source_column, target_column)
        if missing := [column for column in columns if column not in row]:
            raise BadInput(
                f'{where}: no column "{missing[0]}". There are: {", ".join(map(str, row))} '
                "(choose with --source-column and --target-column)"
            )
        yield _plain(*(text_of(row, column, where) for column in columns))


def _plain(source: str, target: str) -> Example:
    return Example(source, source, target)


def _split(examples: list[Example], share: float) -> tuple[list[Example], list[Example]]:
    held = [is_held_out(example.question, share) for example in examples]
    return list(compress(examples, [not out for out in held])), list(compress(examples, held))


def _share(examples: list[Example], share: float) -> int:
    return round(len(examples) * share)


def _checked(data: str, pairs: TextPairs) -> TextPairs:
    for what, found in (("to learn from", pairs.train), ("held out to measure on", pairs.held_out)):
        if not found:
            raise BadInput(f"--data {data}: no pair is left {what}; give more rows or another --held-out")
    return pairs
