"""What a life gained, for its page: a row a stage, a row a task beside its best baseline, accuracy against compute."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linnet.core.files import read_json
from linnet.core.run import Run
from linnet.data.sources import rows
from linnet.report.curves import Chart
from linnet.report.judging import search_chart
from linnet.report.page import Headline, Sample, Table

Numbers = Mapping[str, Any]


def gains_table(gained: Sequence[Numbers], task: str, costs: Mapping[str, str]) -> Table:
    """Return what each stage is worth at a task and what it gained over the one before, with cost and verdict."""
    body = tuple(
        (row["stage"], f"{row['value']:.1%}", _interval(row), *_gain(row["gain"]), costs.get(row["stage"], ""))
        for row in gained
    )
    columns = ("stage", "right", "95%", "gain", "95% of the gain", "verdict", "time")
    note = (
        f"Held-out {task}; each stage is compared with the one above it on the same questions. A verdict is better or "
        "worse only where the interval leaves out zero; with one seed it speaks of questions, not of other seeds."
    )
    return Table("What each stage gained", columns, body, note, numeric=frozenset(range(1, 5)))


def tasks_table(measured: Sequence[Numbers], models: Mapping[str, str]) -> Table:
    """Return the main measure of every task for each model (run name to its name for people) and the best baseline."""
    first: dict[str, str] = {}
    for row in measured:
        first.setdefault(row["task"], row["metric"])
    found = {(row["task"], row["run"]): row for row in measured if row["metric"] == first[row["task"]]}
    body = []
    for task, metric in first.items():
        last = found[task, list(models)[-1]]
        scores = tuple(f"{found[task, run]['value']:.3f}" for run in models)
        best = last["best_baseline"]
        simple = "" if best is None else f"{best} {last['baselines'][best]:.3f}"
        verdict = (last["against_baseline"] or {}).get("verdict", "")
        body.append((task, metric, *scores, simple, verdict))
    columns = ("task", "measure", *models.values(), "best baseline", "last against it")
    return Table("Every task", columns, tuple(body), numeric=frozenset(range(2, 2 + len(models))))


def compute_chart(search: Path) -> Chart:
    """Return accuracy against the number of tries."""
    return search_chart(Run.result(search)["curves"], "tries")


def asked_before_and_after(replies: Mapping[str, Path], count: int) -> tuple[Sample, ...]:
    """Return the first questions of a task with what each model (name to file) replied: nothing is picked by hand."""
    said = {name: list(rows(file))[:count] for name, file in replies.items()}
    return tuple(
        Sample(row["reply"] or "(nothing)", "right" if row["score"] == 1 else "wrong", (), name, row["question"])
        for place in range(count)
        for name, found in said.items()
        if place < len(found)
        for row in [found[place]]
    )


def headlines(stages: Mapping[str, Path], gained: Sequence[Numbers], task: str) -> tuple[Headline, ...]:
    """Return the numbers of the whole life to read first."""
    first, last = gained[0], gained[-1]
    found = [
        Headline(
            f"Right at held-out {task}",
            f"{last['value']:.1%}",
            f"95% interval {_interval(last)}; the base model {first['value']:.1%}",
            f"after the last stage, {last['stage']}; the stages between stand in the table below",
        )
    ]
    if "verifier" in stages:
        judged = Run.result(stages["verifier"])["held_out"]
        low, high = judged["interval"]
        detail = f"95% interval {low:.3f} to {high:.3f}; chance 0.500"
        found.append(Headline("Verifier's AUROC", f"{judged['auroc']:.3f}", detail))
    return tuple(found)


def seconds_of(folder: Path) -> float:
    """Return the wall clock of a finished run."""
    return float(read_json(folder / "record.json")["wall_clock_seconds"])


def _interval(row: Numbers) -> str:
    return f"{row['low']:.1%} to {row['high']:.1%}"


def _gain(gain: Numbers | None) -> tuple[str, str, str]:
    if gain is None:
        return "", "", ""
    return f"{gain['difference']:+.1%}", f"{gain['low']:+.1%} to {gain['high']:+.1%}", gain["verdict"]
