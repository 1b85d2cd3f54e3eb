"""A task: rows of a data set as examples, how each is asked, and how a reply to it is graded."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from linnet.core.errors import BadInput

Row = Mapping[str, Any]
Form = Literal["write", "choose", "continue", "text"]


@dataclass(frozen=True)
class Example:
    """One item: what is asked, the reference reply, and for a choice the candidates and the right one.

    `question` is asked in a chat as it is; `prompt` is what a model without chat goes on from, so that it reads
    `prompt + answer`, and `prompt + choice` for each choice (which therefore mostly begin with a space). `answer` is
    a reply that would get full marks.
    """

    question: str
    prompt: str
    answer: str
    choices: tuple[str, ...] = ()
    gold: int = -1
    row: Row = field(default_factory=dict)


@dataclass(frozen=True)
class Grade:
    """What a reply is worth: `score` in 0..1, what was read from the reply, and for a wrong one the kind of mistake.

    `numbers` holds further measures of the same reply by name (ROUGE beside exact match, say).
    """

    score: float
    said: str
    category: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def correct(self) -> bool:
        """Return whether the reply gets full marks."""
        return self.score == 1.0


class Twin(NamedTuple):
    """Rows with the columns of a data set, made of those of a kind of the small world."""

    kind: str
    rows: Callable[[Iterator[Row]], Iterator[Row]]


@dataclass(frozen=True)
class Task:
    """Examples + prompt + grader.

    `form` says how a model is asked: it writes a reply (graded by `grade`), chooses among continuations by their
    log-likelihood, continues a text by its last word, or is measured on a whole text. `world` names the kind of row of
    the small world with the same columns; where it has none, `borrows` makes some of another kind. `hub` is the data
    set that it stands for, `split` where scores on that are published. `gather` makes the rows that are examples out
    of those of the data set, where these are smaller. `flawed` says of a reply, also of a right one, that a step on its
    way is wrong: nothing to learn from. `mended` gives a reply up to its first wrong step, and the same put right.
    """

    name: str
    form: Form
    hub: str
    world: str | None
    columns: tuple[str, ...]
    example: Callable[[Row], Example]
    grade: Callable[[Example, str], Grade]
    metric: str = "exact match"
    max_tokens: int = 64
    stop: tuple[str, ...] = ("\n\n",)
    split: str = "test"
    gather: Callable[[Iterator[Row]], Iterator[Row]] | None = None
    borrows: Twin | None = None
    flawed: Callable[[str], bool] | None = None
    mended: Callable[[str], tuple[str, str] | None] | None = None

    def examples(self, rows: Iterable[Row]) -> Iterator[Example]:
        """Yield an example for each row; raises BadInput that names the number of a row with a value of no use."""
        for number, row in enumerate(rows, start=1):
            try:
                yield self.example(row)
            except BadInput as error:
                raise BadInput(f"{self.name}, row {number:,}: {error}") from None
