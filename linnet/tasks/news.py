"""Is it true? News articles (ISOT's columns), statements of politicians (LIAR) and tweets about covid.

Only what a reader would judge by goes into a prompt: ISOT's `subject` and `date`, and LIAR's counts of what else the
speaker said (which count the statement itself), give the label away and are left out.
"""

from collections.abc import Callable, Sequence

from linnet.core.errors import BadInput
from linnet.tasks import twins
from linnet.tasks.replies import chosen
from linnet.tasks.rows import label, text
from linnet.tasks.task import Example, Grade, Row, Task, Twin

REAL_OR_FAKE = ("real", "fake")
RATINGS = ("false", "half-true", "mostly-true", "true", "barely-true", "pants-fire")  # LIAR's numbers 0 to 5


def article(row: Row) -> Example:
    """Return an article with the question whether it is fake (label 1) or real (0)."""
    shown = f"{text(row, 'title')}\n{text(row, 'text')}"
    return _example(row, shown, "Is this news real or fake?", REAL_OR_FAKE, label(row, "label", 2))


def tweet(row: Row) -> Example:
    """Return a tweet with the question whether it is real or fake, which its label says in these words."""
    said = text(row, "label").strip().lower()
    if said not in REAL_OR_FAKE:
        raise BadInput(f'column "label" holds {said!r}; labels are {" and ".join(REAL_OR_FAKE)}')
    return _example(row, text(row, "tweet"), "Is this news real or fake?", REAL_OR_FAKE, REAL_OR_FAKE.index(said))


def statement(row: Row) -> Example:
    """Return a statement, who said it and where, with the question how true it is (Wang 2017)."""
    shown = "\n".join(
        f"{column.capitalize()}: {row[column]}" for column in ("statement", "speaker", "context") if row[column]
    )
    asked = f"Is this statement {', '.join(RATINGS[:-1])} or {RATINGS[-1]}?"
    return _example(row, shown, asked, RATINGS, label(row, "label", len(RATINGS)))


def grade(example: Example, reply: str) -> Grade:
    """Grade the label that a reply names; a mistake is called by what was taken for what."""
    number = chosen(reply, example.choices)
    if number < 0:
        return Grade(0.0, "", "format")
    said = example.choices[number].strip()
    if number == example.gold:
        return Grade(1.0, said)
    return Grade(0.0, said, f"{example.choices[example.gold].strip()} called {said}")


def _example(row: Row, shown: str, asked: str, labels: Sequence[str], gold: int) -> Example:
    choices = tuple(f" {word}" for word in labels)
    return Example(f"{asked}\n{shown}", f"{shown}\nQuestion: {asked}\nAnswer:", choices[gold], choices, gold, row)


def _task(name: str, hub: str, columns: str, example: Callable[[Row], Example], split: str, twin: Twin) -> Task:
    return Task(
        name, "choose", hub, None, tuple(columns.split()), example, grade,
        metric="accuracy", max_tokens=8, stop=("\n",), split=split, borrows=twin,
    )  # fmt: skip


FAKE_NEWS = _task("fake_news", "", "title text subject date label", article, "train", twins.ARTICLES)
LIAR = _task("liar", "ucsbnlp/liar", "statement speaker context label", statement, "test", twins.STATEMENTS)
COVID_NEWS = _task("covid_news", "", "tweet label", tweet, "test", twins.TWEETS)
