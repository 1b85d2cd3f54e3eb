"""Language modelling: how likely whole texts are; the pages of WikiText-2 (Merity et al. 2016), and stories.

A number of this kind means nothing without what it is divided by. "word" is lm-eval's `word_perplexity`: nats of the
page as people write it, for each word of the page as the set has it (with ` @-@ ` and spaces before full stops).
"byte" is its `byte_perplexity` and `bits_per_byte`: the same nats for each UTF-8 byte of the page as the set has it.
Both count the whole page, the first word included, and are comparable between tokenizers.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from linnet.tasks import twins
from linnet.tasks.rows import text
from linnet.tasks.task import Example, Grade, Row, Task

HEADING = re.compile(r" = [^=].*[^=] = \n?|= [^=].*[^=] =\n?")
# What WikiText's tokens read as in print, in the order that lm-eval applies.
AS_PRINTED = (
    (r"s '", "s'"), (r"/' [0-9]/", "/'[0-9]/"), (r" @-@ ", "-"), (r" @,@ ", ","), (r" @\.@ ", "."),
    (r" : ", ": "), (r" ; ", "; "), (r" \. ", ". "), (r" ! ", "! "), (r" \? ", "? "), (r" , ", ", "),
    (r"\(\s*([^\)]*?)\s*\)", r"(\1)"), (r"\[\s*([^\]]*?)\s*\]", r"[\1]"), (r"{\s*([^}]*?)\s*}", r"{\1}"),
    (r"\"\s*([^\"]*?)\s*\"", r'"\1"'), (r"'\s*([^']*?)\s*'", r"'\1'"),
    (r"= = = =", "===="), (r"= = =", "==="), (r"= =", "=="), (r" ° ", "°"), (r" \n", "\n"), (r"\n ", "\n"),
    (r" N ", " 1 "), (r" 's", "'s"),
)  # fmt: skip


class Size(NamedTuple):
    """What the nats of a text are divided by."""

    words: int
    bytes: int


def page(row: Row) -> Example:
    """Return a page of WikiText as it is printed."""
    return _whole(as_printed(text(row, "page")), row)


def story(row: Row) -> Example:
    """Return a text as it is."""
    return _whole(text(row, "text"), row)


def size(example: Example) -> Size:
    """Return the words and bytes of the row that an example was made of (of the page, before it is printed)."""
    whole = example.row["page"] if "page" in example.row else example.row["text"]
    return Size(len(re.split(r"\s+", whole)), len(whole.encode()))


def as_printed(page: str) -> str:
    """Return a page of WikiText without the spaces and marks of its tokenisation, letter for letter as lm-eval does."""
    for pattern, printed in AS_PRINTED:
        page = re.sub(pattern, printed, page)
    return page


def pages(rows: Iterator[Row]) -> Iterator[Row]:
    r"""Join the lines of WikiText, a row each, to pages, which begin at a heading ` = Title = `; whole pages pass.

    An empty row stands for the line ` \n` of the set's file.
    """
    lines: list[str] = []
    for row in rows:
        if "page" in row or "text" not in row:
            yield row
            continue
        line = text(row, "text")
        if HEADING.fullmatch(line) and "".join(lines).strip():
            yield {"page": "".join(lines)}
            lines = []
        lines.append(line if line.endswith("\n") else f"{line or ' '}\n")
    if "".join(lines).strip():
        yield {"page": "".join(lines)}


def grade(example: Example, reply: str) -> Grade:
    """Grade a text that was written out: full marks for the text itself."""
    return Grade(float(reply == example.answer), reply, "" if reply == example.answer else "other text")


def _whole(whole: str, row: Row) -> Example:
    return Example("", "", whole, row=row)


WIKITEXT = Task(
    name="wikitext",
    form="text",
    hub="Salesforce/wikitext:wikitext-2-v1",
    world=None,
    columns=("page",),
    example=page,
    grade=grade,
    metric="bits per byte",
    gather=pages,
    borrows=twins.PAGES,
)
STORIES = Task(
    name="stories",
    form="text",
    hub="roneneldan/TinyStories",
    world="stories",
    columns=("text",),
    example=story,
    grade=grade,
    metric="bits per byte",
    split="validation",
)
