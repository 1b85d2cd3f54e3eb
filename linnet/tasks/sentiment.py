"""Sentiment of a sentence (SST-2, Socher et al. 2013): positive or negative."""

import re

from linnet.tasks.replies import chosen
from linnet.tasks.rows import label, text
from linnet.tasks.task import Example, Grade, Row, Task

LABELS = ("negative", "positive")
ASKED = "Is this sentence positive or negative?"
DENYING = re.compile(
    r"\b(not|no|never|nobody|nothing|none|neither|nor|without|hardly|barely|less|lacks?|lacking|cannot|anything but)\b"
    r"|n't\b|n 't\b"
)
TURNING = re.compile(
    r"(?<!anything )(?<!nothing )\bbut\b|\b(although|though|however|yet|despite|while|whereas|hoped|except|instead)\b"
)


def example(row: Row) -> Example:
    """Return the sentence with the question, in the words of lm-eval's task sst2."""
    sentence, gold = text(row, "sentence"), label(row, "label", len(LABELS))
    choices = tuple(f" {word}" for word in LABELS)
    prompt = f"{sentence}\nQuestion: {ASKED}\nAnswer:"
    return Example(f"{ASKED}\n{sentence.strip()}", prompt, choices[gold], choices, gold, row)


def grade(example: Example, reply: str) -> Grade:
    """Grade the label that a reply names."""
    said = chosen(reply, LABELS)
    if said < 0:
        return Grade(0.0, "", "format")
    return Grade(1.0, LABELS[said]) if said == example.gold else Grade(0.0, LABELS[said], difficulty(example))


def difficulty(example: Example) -> str:
    """Return what makes a sentence hard: "mixed" (it turns: but), "negation" (not, less), or else "ambiguous"."""
    sentence = example.row["sentence"].lower()
    if TURNING.search(sentence):
        return "mixed"
    return "negation" if DENYING.search(sentence) else "ambiguous"


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
