"""The last word of a text that only its beginning tells (LAMBADA, Paperno et al. 2016)."""

import string

from linnet.core.errors import BadInput
from linnet.tasks.rows import text
from linnet.tasks.task import Example, Grade, Row, Task


def example(row: Row) -> Example:
    """Return the text without its last word, in the form of lm-eval's task lambada_openai."""
    before, space, word = text(row, "text").rpartition(" ")
    if not before or not word:
        raise BadInput('column "text" holds no two words with a space between; the last one is to be found')
    question = f"Write the one word that comes next.\n{before}"
    return Example(question, before, f"{space}{word}", row=row)


def grade(example: Example, reply: str) -> Grade:
    """Grade the first word of a reply, without punctuation around it."""
    words = reply.split(maxsplit=1)
    said, wanted = (
        (word or " ").strip(string.punctuation + string.whitespace)
        for word in (words[0] if words else "", example.answer)
    )
    if not said:
        return Grade(0.0, "", "format")
    return (
        Grade(1.0, said) if said == wanted else Grade(0.0, said, "known word" if said in example.prompt else "new word")
    )


TASK = Task(
    name="cloze",
    form="continue",
    hub="EleutherAI/lambada_openai",
    world="cloze",
    columns=("text",),
    example=example,
    grade=grade,
    metric="accuracy",
    max_tokens=8,
    stop=("\n",),
)
