"""The table of a suite: a row a run, task and measure, with interval, baselines, verdicts, clean and dirty part."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from linnet.evals.contamination import CLEAN, EXACT
from linnet.evals.measures import Measure, measures
from linnet.evals.suite import Answer, Asked
from linnet.evals.table import Value
from linnet.evals.trivial import Trivial, baselines
from linnet.tasks.task import Example, Task

DESCRIBING = ("distinct-2", "repetition-4")  # what replies are like; nobody is better at that
SHOWN = 3  # wrong examples of each category in mistakes.md
CONTAMINATED = ("", "overlap", "exact")


@dataclass(frozen=True)
class Material:
    """The rows of a task that all runs are asked, where they come from, and what trivial means score on them."""

    task: Task
    source: str
    split: str
    examples: tuple[Example, ...]
    trivial: tuple[Trivial, ...] = ()

    @classmethod
    def build(
        cls, task: Task, source: str, split: str, train: Sequence[Example], asked: Sequence[Example]
    ) -> "Material":
        """Let the baselines, which may learn from `train`, reply to the rows."""
        return cls(task, source, split, tuple(asked), tuple(baselines(task, train, asked)))

    @property
    def rows(self) -> str:
        """Say where the rows come from."""
        return f"{self.source}, {self.split} split"

    def baselines(self) -> dict[str, dict[str, Measure]]:
        """Return the measures of each baseline, by its name and theirs."""
        return {
            one.name: {each.name: each for each in measures(self.task, self.examples, one.grades, _said(one))}
            for one in self.trivial
        }

    @property
    def texts(self) -> list[list[str]]:
        """Return the texts of each row that may have been learned by heart."""
        return [
            [value for column in self.task.columns if isinstance(value := example.row[column], str)]
            for example in self.examples
        ]


def rows_of(
    run: str, asked: Asked, material: Material, earlier: Sequence[Asked], found: np.ndarray | None
) -> list[dict[str, Any]]:
    """Return the rows of a run's task; `earlier` runs were asked before, `found` is what the training text holds."""
    trivial = material.baselines()
    first, before = _measured(earlier[:1]), _measured(earlier[-1:])
    rows = []
    for measure in asked.measures():
        low, high = measure.interval()
        row: dict[str, Any] = {
            "run": run,
            "task": asked.task.name,
            "metric": measure.name,
            "value": measure.value,
            "low": low,
            "high": high,
            "n": measure.count,
            "higher_is_better": measure.higher_is_better,
            **_beside(measure, {name: found[measure.name] for name, found in trivial.items() if measure.name in found}),
            "against_first": _against(measure, first),
            "against_before": _against(measure, before),
            "clean": None if found is None else _part(measure, np.flatnonzero(found == CLEAN)),
            "dirty": None if found is None else _part(measure, np.flatnonzero(found != CLEAN)),
            "protocol": f"{measure.count:,} rows of {material.rows}; {asked.protocol}; interval: {measure.kind}",
            "seconds": round(asked.seconds, 2),
        }
        rows.append(row)
    return rows


def flat(row: Mapping[str, Any]) -> dict[str, Value]:
    """Return a row of the table with nothing nested, for CSV and for people."""
    against, before, best = (row[f"against_{what}"] or {} for what in ("first", "before", "baseline"))
    flat_row: dict[str, Value] = {name: row[name] for name in ("run", "task", "metric", "value", "low", "high", "n")}
    flat_row |= {"best_baseline": row["best_baseline"], "baseline": row["baselines"].get(row["best_baseline"])}
    flat_row |= {"beats_it": best.get("verdict"), "against_before": before.get("verdict")}
    flat_row["against_first"] = against.get("verdict")
    flat_row |= {name: against.get(name) for name in ("difference", "p")}
    flat_row |= {"difference_low": against.get("low"), "difference_high": against.get("high")}
    for part in ("clean", "dirty"):
        found = row[part] or {}
        flat_row |= {f"{part}_{name}": found.get(name) for name in ("n", "value", "low", "high")}
    flat_row["baselines"] = "; ".join(f"{name} {value:.4g}" for name, value in row["baselines"].items())
    return flat_row | {"seconds": row["seconds"], "protocol": row["protocol"]}


def reply_rows(answers: Sequence[Answer], found: np.ndarray | None) -> list[dict[str, Any]]:
    """Return every row that was asked with its reply, score and kind of mistake, as JSON values."""
    return [
        {
            "row": number,
            "score": answer.grade.score,
            "category": answer.grade.category,
            "said": answer.grade.said,
            "wanted": answer.example.answer.strip(),
            "contaminated": None if found is None else CONTAMINATED[int(found[number])],
            "numbers": dict(answer.grade.numbers),
            "reply": answer.reply,
            "question": answer.example.question or answer.example.prompt,
        }
        for number, answer in enumerate(answers)
    ]


def mistakes_text(run: str, asked: Asked) -> str:
    """Return the wrong examples of a run's task for people: how many of each kind, and the first of each."""
    wrong = [(number, answer) for number, answer in enumerate(asked.answers) if answer.grade.category]
    kinds = Counter(answer.grade.category for _, answer in wrong)
    lines = [f"## {asked.task.name}: {run}", "", f"{len(wrong):,} of {len(asked.answers):,} rows are wrong.", ""]
    for kind, count in kinds.most_common():
        lines += [f"### {kind}: {count:,}", ""]
        some = [(number, answer) for number, answer in wrong if answer.grade.category == kind]
        for number, answer in some[:SHOWN]:
            asked_for = answer.example.question or answer.example.prompt
            told = [f"row {number}", f"[asked]  {asked_for}", f"[wanted] {answer.example.answer.strip()}"]
            lines += _indented([*told, f"[said]   {answer.reply or answer.grade.said}"])
    return "\n".join(lines) + "\n"


def contamination_numbers(found: np.ndarray) -> dict[str, int]:
    """Return how many rows were looked for, are clean, share a run of words, or stand there as a whole."""
    counts = np.bincount(found, minlength=EXACT + 1).tolist()
    return dict(zip(("rows", "clean", "overlap", "exact"), (len(found), *counts), strict=True))


def _said(trivial: Trivial) -> list[str]:
    return [grade.said for grade in trivial.grades]


def _beside(measure: Measure, trivial: Mapping[str, Measure]) -> dict[str, Any]:
    """Return the baselines' numbers, which one is best, and whether the measure is better than it."""
    values = {name: one.value for name, one in trivial.items()}
    if not values or measure.name in DESCRIBING:
        return {"baselines": {}, "best_baseline": None, "against_baseline": None}
    best = (max if measure.higher_is_better else min)(values, key=lambda name: values[name])
    against = asdict(measure.against(trivial[best]))
    return {"baselines": values, "best_baseline": best, "against_baseline": against}


def _measured(asked: Sequence[Asked]) -> dict[str, Measure]:
    return {measure.name: measure for one in asked for measure in one.measures()}


def _against(measure: Measure, others: Mapping[str, Measure]) -> dict[str, Any] | None:
    return asdict(measure.against(others[measure.name])) if measure.name in others else None


def _part(measure: Measure, places: np.ndarray) -> dict[str, Any]:
    if not places.size:
        return {"n": 0}
    part = measure.part(places)
    low, high = part.interval()
    return {"n": len(places), "value": part.value, "low": low, "high": high}


def _indented(told: Sequence[str]) -> list[str]:
    # As an indented block nothing that a model wrote can end it.
    return [*(f"    {line}" for text in told for line in text.splitlines() or [""]), ""]
