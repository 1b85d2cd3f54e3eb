"""Questions about a document whose answer stands in it (SQuAD, Rajpurkar et al. 2016), and about facts just told."""

from collections.abc import Sequence

from linnet.core.errors import BadInput
from linnet.metrics import answer_f1, exact_match
from linnet.metrics.overlap import normalised_answer
from linnet.tasks.rows import text
from linnet.tasks.task import Example, Grade, Row, Task


def squad(row: Row) -> Example:
    """Return a question about a document, in the words of lm-eval's task squadv2; every answer of the row is right."""
    title, context, question = (text(row, column) for column in ("title", "context", "question"))
    prompt = f"Title: {title}\n\nBackground: {context}\n\nQuestion: {question}\n\nAnswer:"
    return Example(f"{context}\n{question}", prompt, f" {_answers(row)[0]}", row=row)


def fact(row: Row) -> Example:
    """Return a question about what has just been said of two people."""
    statement, question, answer = (text(row, column) for column in ("statement", "question", "answer"))
    return Example(f"{statement}\n{question}", f"{statement}\nQuestion: {question}\nAnswer:", f" {answer}", row=row)


def grade_squad(example: Example, reply: str) -> Grade:
    """Grade by SQuAD's exact match; `f1` is its word F1."""
    return _grade(_answers(example.row), example.row["context"], reply)


def grade_fact(example: Example, reply: str) -> Grade:
    """Grade as SQuAD does."""
    return _grade([example.answer], example.row["statement"], reply)


def _grade(answers: Sequence[str], document: str, reply: str) -> Grade:
    """Grade a reply; a wrong one is empty, invented, elsewhere in the text, or shares words with the right answer."""
    said, f1 = reply.strip(), answer_f1(answers, reply)
    numbers = {"f1": f1}
    if exact_match(answers, said):
        return Grade(1.0, said, numbers=numbers)
    plain = normalised_answer(said)
    if not plain:
        return Grade(0.0, said, "format", numbers)
    if plain not in normalised_answer(document):
        return Grade(0.0, said, "not in the text", numbers)
    return Grade(0.0, said, "wrong bounds" if f1 else "wrong place", numbers)


def _answers(row: Row) -> list[str]:
    answers = row["answers"]
    texts = answers.get("text") if isinstance(answers, dict) else None
    if not texts or not all(isinstance(answer, str) for answer in texts):
        raise BadInput(f'column "answers" holds {str(answers)[:40]}, not an object with a list "text"')
    return list(texts)


SQUAD = Task(
    name="questions",
    form="write",
    hub="rajpurkar/squad",
    world="questions",
    columns=("title", "context", "question", "answers"),
    example=squad,
    grade=grade_squad,
    max_tokens=32,
    stop=("\n",),
    split="validation",
)
FACTS = Task(
    name="facts",
    form="write",
    hub="",
    world="facts",
    columns=("statement", "question", "answer"),
    example=fact,
    grade=grade_fact,
    max_tokens=16,
    stop=("\n",),
)
