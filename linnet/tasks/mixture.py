"""What to tune on, in one word: the small world's tasks, tasks on real rows, own conversations, and mixtures of these.

`world/sums:20000+world/reviews:5000` are so many rows of two tasks, `world:20000` so many of several in equal shares,
`sums=FOLDER` a task's rows in a folder, file or hub name, `chats.jsonl` own rows; `@500` behind takes the first 500.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress, islice
from pathlib import Path

from linnet.core.errors import BadInput, nearest
from linnet.data import sources
from linnet.data.split import is_held_out
from linnet.tasks import find
from linnet.tasks import rows as task_rows
from linnet.tasks.talks import Talk, talk_of
from linnet.tasks.task import Task
from linnet.text.chat import Message

# The kinds of the small world that `world` alone stands for.
KINDS = ("sums", "reviews", "dialogues", "instructions", "questions", "facts", "choices")
FEW = 20  # with fewer rows, one in so many is held out by its number: a share of them by chance may be none


@dataclass(frozen=True)
class Part:
    """One source of a mixture: its name for people, its task if it has one, where its rows are, and how many."""

    name: str
    task: Task | None
    source: str
    most: int | None = None

    @property
    def is_world(self) -> bool:
        """Say whether it is of the small world, which has a validation split."""
        return self.task is not None and sources.is_world(self.source)

    def talks(self, split: str = "train", most: int | None = None) -> Iterator[Talk]:
        """Yield the rows as conversations; raises BadInput naming the row that is none."""
        most = self.most if most is None else most
        if self.task is not None:
            rows = islice(task_rows.read(self.task, self.source, split), most)
            for example in self.task.examples(rows):
                yield (Message("user", example.question), Message("assistant", example.answer))
            return
        for number, row in enumerate(islice(sources.rows(self.source, split), most), start=1):
            try:
                yield talk_of(row)
            except BadInput as error:
                raise BadInput(f"{self.source}, row {number:,}: {error}") from None


@dataclass(frozen=True)
class Mixture:
    """Conversations to learn and to measure, with the counts of each part."""

    train: list[Talk]
    held_out: list[Talk]
    counts: dict[str, tuple[int, int]]

    def line(self) -> str:
        """Say it in words."""
        return ", ".join(f"{train:,} + {held:,} held out of {name}" for name, (train, held) in self.counts.items())


def read_mixture(data: str, held_out: float) -> Mixture:
    """Read all parts; a share is held out, of the small world as rows of its validation split.

    Elsewhere a hash of all but the last turn decides, so that a question is on one side only. Raises BadInput for an
    unknown part, rows that are no conversations, and when nothing is left to learn.
    """
    found = Mixture([], [], {})
    for part in parts(data):
        talks = list(part.talks())
        if part.is_world:
            held = list(part.talks("validation", max(1, round(len(talks) * held_out))))
        else:
            talks, held = _split(talks, held_out)
        if not talks:
            raise BadInput(f"{part.name}: no conversation is left to learn from")
        found.train.extend(talks)
        found.held_out.extend(held)
        before = found.counts.get(part.name, (0, 0))
        found.counts[part.name] = (before[0] + len(talks), before[1] + len(held))
    return found


def parts(data: str) -> list[Part]:
    """Return the parts that a word names; raises BadInput for one that is nothing."""
    if not data:
        raise BadInput("--data is empty; give a file of conversations, or world")
    pieces = [data] if Path(data).exists() else data.split("+")
    return [part for piece in pieces for part in _parts(piece)]


def _parts(piece: str) -> list[Part]:
    word, most = _most(piece)
    if sources.is_world(word):
        kinds, count, seed = sources.world_options(word)
        chosen = kinds or list(KINDS)
        each = [count // len(chosen) + (number < count % len(chosen)) for number in range(len(chosen))]
        told = zip(chosen, each, strict=True)
        return [Part(f"world/{kind}", _twin(kind), f"world:{share}:{seed}", most) for kind, share in told if share]
    name, equals, source = word.partition("=")
    if equals and not Path(word).exists():
        return [Part(word, _teaching(find(name)), source, most)]
    return [Part(word, None, word, most)]


def _most(piece: str) -> tuple[str, int | None]:
    """Split off `@500`, the number of rows to take."""
    word, at, count = piece.rpartition("@")
    if not at or not count.isdecimal() or Path(piece).exists():
        return piece, None
    if int(count) < 1:
        raise BadInput(f"{piece}: a part needs at least 1 row")
    return word, int(count)


def _twin(kind: str) -> Task:
    """Return the task whose rows are a kind of the small world, by the kind's name or the task's own."""
    from linnet.tasks.table import TASKS

    twins = {task.world: task for task in reversed(TASKS) if task.world is not None and task.form != "text"}
    twins |= {task.name: task for task in TASKS if task.world is not None and task.form != "text"}
    if kind not in twins:
        raise BadInput(
            f'"{kind}" of the small world teaches no reply.{nearest(kind, twins)} There are: {", ".join(sorted(twins))}'
        )
    return twins[kind]


def _teaching(task: Task) -> Task:
    if task.form == "text":
        raise BadInput(f"the task {task.name} is measured on whole texts and teaches no reply; pretrain on them")
    return task


def _split(talks: list[Talk], share: float) -> tuple[list[Talk], list[Talk]]:
    """Return (to learn, held out) of own conversations."""
    held = [is_held_out(_asked(talk), share) for talk in talks]
    if len(talks) < FEW or not any(held) or all(held):
        every = max(2, round(1 / share))
        held = [number % every == 1 for number in range(len(talks))]
    return list(compress(talks, [not out for out in held])), list(compress(talks, held))


def _asked(talk: Talk) -> str:
    """Return what comes before the last turn, as one text."""
    return json.dumps([[message.role, message.content.strip()] for message in talk[:-1]])
