"""Rows of a task from the small world, a folder, a file or a hub name, with the columns that the task needs."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from linnet.core.errors import BadInput, nearest
from linnet.data import sources
from linnet.tasks.task import Row, Task


def read(task: Task, source: str | Path, split: str) -> Iterator[Row]:
    """Yield the rows of a split of `world[:COUNT[:SEED]]`, a folder, a file (whatever the split) or a hub name.

    Raises BadInput when there are none, and for a row without a column of the task.
    """
    source = str(source)
    rows: Iterator[Row] = _world_rows(task, source, split) if sources.is_world(source) else _file_rows(source, split)
    if task.gather is not None:
        rows = task.gather(rows)
    number = 0
    for number, row in enumerate(rows, start=1):
        _check_columns(task, row, f"{source}, row {number:,}")
        yield row
    if not number:
        raise BadInput(f"{source}: no rows in it; the task {task.name} takes the columns {', '.join(task.columns)}")


def measured_split(task: Task, source: str | Path) -> str:
    """Return the split on which a task is measured: the published one of its data set, the small world's test."""
    return "test" if sources.is_world(str(source)) else task.split


def text(row: Row, column: str) -> str:
    """Return the text in a column; raises BadInput for anything else."""
    value = row[column]
    if not isinstance(value, str):
        raise BadInput(f'column "{column}" holds {type(value).__name__} ({str(value)[:40]}), not text')
    return value


def label(row: Row, column: str, count: int) -> int:
    """Return the label in a column, a whole number (or its digits as text) in 0 .. count - 1; raises BadInput."""
    value = row[column]
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    digits = str(value).strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits) < count):
        raise BadInput(f'column "{column}" holds {value!r}; labels go from 0 to {count - 1}')
    return int(digits)


def _world_rows(task: Task, source: str, split: str) -> Iterator[Row]:
    from linnet.data import world

    kinds, count, seed = sources.world_options(source)
    kind = task.world or (task.borrows.kind if task.borrows else None)
    if kind is None or kinds not in (None, [kind]):
        there = f'its rows are of the kind "{kind}"' if kind else "it has no twin in the small world"
        raise BadInput(f"{source}: the task {task.name}: {there}; give a folder, a file or the hub name {task.hub}")
    rows: Iterator[Row] = world.rows(kind, split, seed)
    return islice(task.borrows.rows(rows) if task.borrows else rows, count)


def _file_rows(source: str, split: str) -> Iterator[Row]:
    return sources.rows(source, "train" if Path(source).expanduser().is_file() else split)


def _check_columns(task: Task, row: Row, where: str) -> None:
    for column in task.columns:
        if column not in row:
            raise BadInput(
                f'{where}: no column "{column}", which the task {task.name} needs.{nearest(column, row)} '
                f"There are: {', '.join(map(str, row))}"
            )
