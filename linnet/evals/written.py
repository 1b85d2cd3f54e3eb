"""What a model wrote for held-out sources, graded, beside what trivial means get on the same sources."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from linnet import metrics
from linnet.evals import trivial
from linnet.tasks.task import Example, Grade, Row, Task

TRAIN_ROWS = 2_000  # that the baselines learn from


def _no_rows(row: Row) -> Example:
    raise ValueError("pairs are examples already")


def _exactly(example: Example, reply: str) -> Grade:
    right = reply.strip() == example.answer.strip()
    return Grade(float(right), reply.strip(), "" if right else "not the same")


# The task of sources and targets that are of no task: the very target must be written.
EXACT = Task("pairs", "write", "", None, ("source", "target"), _no_rows, _exactly)


def quality(task: Task, grades: Sequence[Grade], seed: int = 0) -> dict[str, Any]:
    """Return the mean score under its metric's name with its interval, how many were right, and the other measures."""
    scores = np.array([grade.score for grade in grades])
    names = list(dict.fromkeys(name for grade in grades for name in grade.numbers))
    low, high = metrics.bootstrap_interval(scores, seed=seed)
    return {
        "metric": task.metric,
        "score": float(scores.mean()),
        "interval": [low, high],
        "rows": len(grades),
        "right": int((scores == 1).sum()),
        **{name: float(np.mean([grade.numbers.get(name, 0.0) for grade in grades])) for name in names},
    }


def beside_baselines(
    task: Task | None, train: Sequence[Example], asked: Sequence[Example], said: Sequence[str], seed: int = 0
) -> dict[str, Any]:
    """Return the quality of what was said to the examples asked, and that of each baseline of their task.

    Without a task the very target must be written. The baselines learn from training examples.
    """
    task = task or EXACT
    grades = [task.grade(example, reply) for example, reply in zip(asked, said, strict=True)]
    rivals = {one.name: quality(task, one.grades, seed) for one in trivial.baselines(task, train[:TRAIN_ROWS], asked)}
    return {"written": quality(task, grades, seed), "baselines": rivals}


def shown(asked: Sequence[Example], said: Sequence[str]) -> str:
    """Return sources, references and what was written, for people."""
    pairs = zip(asked, said, strict=True)
    return "\n\n".join(
        f"[source] {example.question.strip()}\n[reference] {example.answer.strip()}\n[written] {reply.strip()}"
        for example, reply in pairs
    )
