"""Rows of the small world in the columns of data sets that it has no kind of its own for: each task runs offline.

They are easier than what they stand for. What is true comes from the village: a false claim is another value of the
same kind, a false report a story whose ending contradicts its beginning.
"""

from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from linnet.data.world.preferences import PLEASE
from linnet.tasks.task import Row, Twin


class Claim(NamedTuple):
    """What is known, a question about it, an answer, and whether it is the right one."""

    known: str
    question: str
    answer: str
    true: bool


def _endings(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        endings = [row["sol1"], row["sol2"]]
        yield {"activity_label": "Everyday", "ctx": f"{row['goal']},", "endings": endings, "label": str(row["label"])}


def _answers(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        choices = {"text": [row["sol1"], row["sol2"]], "label": ["A", "B"]}
        yield {"question": f"{row['goal']}, what do you do?", "choices": choices, "answerKey": "AB"[row["label"]]}


def _yes_or_no(rows: Iterator[Row]) -> Iterator[Row]:
    for claim in _claims(rows):
        yield {"passage": claim.known, "question": f"{claim.question} Is it {claim.answer}", "answer": claim.true}


def _statements(rows: Iterator[Row]) -> Iterator[Row]:
    for claim in _claims(rows):
        said = f"{claim.question} It is {claim.answer}."
        label = 3 if claim.true else 0
        yield {"statement": said, "speaker": "a neighbour", "context": claim.known, "label": label}


def _tweets(rows: Iterator[Row]) -> Iterator[Row]:
    for claim in _claims(rows):
        said = f"{claim.known} {claim.question} It is {claim.answer}."
        yield {"tweet": said, "label": "real" if claim.true else "fake"}


def _articles(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        if row["reason"] == "inconsistent":
            fake = _coin(row)
            told = f"{row['prompt'].removeprefix(PLEASE)} {row['rejected' if fake else 'chosen']}"
            title = told.split(". ")[0]
            yield {"title": title, "text": told, "subject": "village", "date": "", "label": int(fake)}


def _pages(rows: Iterator[Row]) -> Iterator[Row]:
    return ({"page": f" = {row['title']} = \n \n {row['text']} \n"} for row in rows)


def _as_they_are(rows: Iterator[Row]) -> Iterator[Row]:
    return rows


def _claims(rows: Iterator[Row]) -> Iterator[Claim]:
    """Yield a claim for each pair of a right and a wrong answer: one of the two, by a coin that the row tosses."""
    for row in rows:
        if row["reason"] == "wrong":
            known, _, question = row["prompt"].rpartition(". ")
            true = _coin(row)
            yield Claim(f"{known}.", question, row["chosen" if true else "rejected"], true)


def _coin(row: Row) -> bool:
    return bool(crc32(row["prompt"].encode()) & 1)


ENDINGS = Twin("choices", _endings)
ANSWERS = Twin("choices", _answers)
YES_OR_NO = Twin("preferences", _yes_or_no)
STATEMENTS = Twin("preferences", _statements)
TWEETS = Twin("preferences", _tweets)
ARTICLES = Twin("preferences", _articles)
PAGES = Twin("documents", _pages)
DIALOGUES = Twin("dialogues", _as_they_are)
