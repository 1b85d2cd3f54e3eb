"""One table over seeds: the suites of lives that differ in their seed, with intervals over items and seeds together."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from linnet.core.errors import BadInput
from linnet.core.files import read_json
from linnet.evals.suite_run import replies_file
from linnet.metrics import bootstrap_interval, compare_over_seeds, interval_over_seeds

MOST_BYTES = 256 * 2**20  # of a file of replies


def over_seeds(suites: Sequence[Path]) -> list[dict[str, Any]]:
    """Return a row for each stage and task of several suites' folders: the mean score over rows and seeds.

    A suite holds one seed's runs, stage by stage in the same order. The interval is of other seeds and other rows
    (`linnet.metrics.interval_over_seeds`; with one suite, of other rows only), and each stage is compared with the
    first and with the one before. Raises BadInput for suites that did not ask the same rows of the same tasks.
    """
    tables = [_table(folder) for folder in suites]
    names = [list(table["runs"]) for table in tables]
    if not suites or len({len(runs) for runs in names}) != 1:
        raise BadInput(f"suites of {', '.join(str(len(runs)) for runs in names) or 'no'} runs: give one a seed, alike")
    tasks = list(dict.fromkeys((row["task"], row["metric"]) for row in tables[0]["rows"]))
    main = dict(reversed(tasks))
    found = []
    for task in dict.fromkeys(task for task, _ in tasks):
        if main[task] == "bits per byte":  # its rows are of unequal size: no mean of scores
            continue
        stages = [_scores(suites, [runs[stage] for runs in names], task) for stage in range(len(names[0]))]
        for stage, scores in enumerate(stages):
            low, high = interval_over_seeds(scores) if len(scores) > 1 else bootstrap_interval(scores[0])
            found.append(
                {
                    "run": _stage([runs[stage] for runs in names]),
                    "task": task,
                    "metric": main[task],
                    "value": float(scores.mean()),
                    "low": low,
                    "high": high,
                    "n": scores.shape[1],
                    "seeds": len(scores),
                    "of_each_seed": scores.mean(axis=1).tolist(),
                    "against_first": _against(scores, stages[0]) if stage else None,
                    "against_before": _against(scores, stages[stage - 1]) if stage else None,
                }
            )
    return found


def _against(ours: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    return asdict(compare_over_seeds(ours, theirs, higher_is_better=True))


def _scores(suites: Sequence[Path], runs: Sequence[str], task: str) -> np.ndarray:
    """Return the scores [seeds, rows] of a stage, of rows that are the same for all."""
    files = [replies_file(folder, run, task) for folder, run in zip(suites, runs, strict=True)]
    lines = [_lines(path) for path in files]
    asked = [[line["question"] for line in each] for each in lines]
    for path, each in zip(files, asked, strict=True):
        if each != asked[0]:
            raise BadInput(f"{path}: other rows were asked than in {files[0]}; ask all seeds the same")
    return np.array([[float(line["score"]) for line in each] for each in lines])


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); evaluate the suite again") from None
    if len(data) > MOST_BYTES:
        raise BadInput(f"{path}: larger than the {MOST_BYTES:,} bytes expected of it")
    try:
        lines = [json.loads(line) for line in data.splitlines() if line.strip()]
        return [{"question": line["question"], "score": line["score"]} for line in lines]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadInput(f"{path}: not the replies of a suite; evaluate it again") from None


def _table(folder: Path) -> dict[str, Any]:
    table = read_json(folder / "table.json")
    if (
        not isinstance(table, dict)
        or not isinstance(table.get("runs"), dict)
        or not isinstance(table.get("rows"), list)
    ):
        raise BadInput(f"{folder / 'table.json'}: not the table of a suite; evaluate it again")
    return table


def _stage(names: Sequence[str]) -> str:
    """Return the name of a stage over seeds: what the runs' names end alike with."""
    parts = [name.split("/") for name in names]
    size = 0
    while all(len(part) > size for part in parts) and len({part[-1 - size] for part in parts}) == 1:
        size += 1
    return "/".join(parts[0][len(parts[0]) - size :]) or " + ".join(names)
