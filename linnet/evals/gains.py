"""What each stage of a life gained at a task: a number a stage, compared in pairs with the stage before."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from linnet.core.errors import BadInput
from linnet.data.sources import rows
from linnet.evals.measures import Measure
from linnet.infer.search import Rule, Try
from linnet.metrics import compare_over_seeds, interval_over_seeds

Scores = tuple[list[str], np.ndarray]  # the questions in order, and the score of each


def of_replies(file: Path) -> Scores:
    """Return the questions and scores of a suite's file of replies; of a question that comes twice, the first."""
    found: dict[str, float] = {}
    for row in rows(file):
        found.setdefault(row["question"], float(row["score"]))
    return list(found), np.array(list(found.values()))


def of_tries(file: Path, rule: Rule) -> Scores:
    """Return the questions of a search, and whether the try that a rule chooses among all of each is right.

    Of a question that comes twice, the first.
    """
    found: dict[str, float] = {}
    for question, group in groupby(rows(file), key=lambda row: row["question"]):
        tries = [Try(row["said"], row["is_correct"], row["tokens"], row["score"], row["sound"]) for row in group]
        found.setdefault(question, float(tries[rule(tries)].right))
    return list(found), np.array(list(found.values()))


def gains(lives: Sequence[Sequence[tuple[str, Scores]]]) -> list[dict[str, Any]]:
    """Return a row a stage: its share, interval, and what it gained over the stage before, in pairs of questions.

    `lives` are the same stages, made from one or several seeds; with several the intervals are over seeds as well.
    Raises BadInput when the lives do not have the same stages, or these were not asked the same questions.
    """
    names = [name for name, _ in lives[0]]
    for life in lives:
        if [name for name, _ in life] != names:
            raise BadInput(f"one life has the stages {', '.join(names)}, another {', '.join(name for name, _ in life)}")
        for name, (questions, _) in life:
            if questions != lives[0][0][1][0]:
                raise BadInput(f"the stage {name} was asked other questions than {names[0]}: nothing can be paired")
    scores = [np.stack([life[place][1][1] for life in lives]) for place in range(len(names))]  # [seeds, questions]
    found: list[dict[str, Any]] = []
    for name, values in zip(names, scores, strict=True):
        low, high = _interval(values)
        found.append({"stage": name, "value": float(values.mean()), "low": low, "high": high, "gain": None})
    for row, (before, after) in zip(found[1:], pairwise(scores), strict=True):
        row["gain"] = asdict(compare_over_seeds(after, before, higher_is_better=True))
    return found


def _interval(values: np.ndarray) -> tuple[float, float]:
    if len(values) > 1:
        low, high = interval_over_seeds(values)
        return max(low, 0.0), min(high, 1.0)  # Student's t knows nothing of shares
    return Measure.mean("right", values[0]).interval()
