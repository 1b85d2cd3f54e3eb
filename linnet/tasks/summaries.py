"""Summaries of dialogues (SAMSum, Gliwa et al. 2019; DialogSum, Chen et al. 2021), graded by ROUGE."""

from dataclasses import replace

from linnet.metrics import rouge
from linnet.tasks import twins
from linnet.tasks.rows import text
from linnet.tasks.task import Example, Grade, Row, Task


def example(row: Row) -> Example:
    """Return the dialogue, its lines ending alike, and its summary."""
    dialogue, summary = "\n".join(text(row, "dialogue").splitlines()), text(row, "summary")
    return Example(f"Sum up the dialogue.\n{dialogue}", f"{dialogue}\nSummary:", f" {summary}", row=row)


def grade(example: Example, reply: str) -> Grade:
    """Grade a summary by the F1 of ROUGE-L; `rouge1`, `rouge2` and `rougeL` are the F1 of each."""
    said = reply.strip()
    found = rouge(example.answer, said)
    numbers = {"rouge1": found.rouge1.f1, "rouge2": found.rouge2.f1, "rougeL": found.rouge_l.f1}
    return Grade(found.rouge_l.f1, said, "" if said else "format", numbers)


TASK = Task(
    name="summaries",
    form="write",
    hub="knkarthick/samsum",
    world="dialogues",
    columns=("dialogue", "summary"),
    example=example,
    grade=grade,
    metric="ROUGE-L",
    max_tokens=96,
    stop=("\n",),
)
DIALOGSUM = replace(TASK, name="dialogsum", hub="knkarthick/dialogsum", world=None, borrows=twins.DIALOGUES)
