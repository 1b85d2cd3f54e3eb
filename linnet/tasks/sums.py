"""Sums in words with worked solutions (GSM8K, Cobbe et al. 2021): the last line `#### 42` is the answer."""

import re

from linnet.tasks.rows import text
from linnet.tasks.task import Example, Grade, Row, Task

FINAL = re.compile(r"#### *(-?[0-9.,]+)")


def example(row: Row) -> Example:
    """Return the question and its worked solution."""
    question, answer = text(row, "question"), text(row, "answer")
    return Example(question, f"Question: {question}\nAnswer:", f" {answer}", row=row)


def grade(example: Example, reply: str) -> Grade:
    """Grade the number after ####."""
    said, right = FINAL.search(reply), FINAL.search(example.answer)
    if said is None:
        return Grade(0.0, "", "format")
    correct = right is not None and said[1] == right[1]
    return Grade(float(correct), said[1], "" if correct else "arithmetic")


TASK = Task(
    name="sums",
    form="write",
    hub="openai/gsm8k:main",
    world="sums",
    columns=("question", "answer"),
    example=example,
    grade=grade,
    max_tokens=256,
    stop=("Question:", "</s>", "<|im_end|>"),
)
