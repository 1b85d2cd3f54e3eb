"""Sentiment of a sentence (SST-2, Socher et al. 2013): positive or negative."""

from linnet.tasks.rows import label, text
from linnet.tasks.task import Example, Grade, Row, Task

LABELS = ("negative", "positive")
ASKED = "Is this sentence positive or negative?"


def example(row: Row) -> Example:
    """Return the sentence with the question, in the words of lm-eval's task sst2."""
    sentence, gold = text(row, "sentence"), label(row, "label", len(LABELS))
    choices = tuple(f" {word}" for word in LABELS)
    prompt = f"{sentence}\nQuestion: {ASKED}\nAnswer:"
    return Example(f"{ASKED}\n{sentence.strip()}", prompt, choices[gold], choices, gold, row)


def grade(example: Example, reply: str) -> Grade:
    """Grade a written label."""
    said = reply.strip().lower().rstrip(".")
    correct = said == LABELS[example.gold]
    return Grade(float(correct), said, "" if correct else "wrong")


TASK = Task(
    name="sentiment",
    form="choose",
    hub="stanfordnlp/sst2",
    world="reviews",
    columns=("sentence", "label"),
    example=example,
    grade=grade,
    metric="accuracy",
    max_tokens=8,
    stop=("\n",),
    split="validation",
)
