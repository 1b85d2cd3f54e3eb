"""Equal budgets: how many steps fit into a time, how many rows at a time into a memory, by short probes."""

import statistics
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from linnet.core.errors import BadInput
from linnet.core.files import read_json
from linnet.core.run import read_metrics

PROBED_STEPS, WARM_STEPS = 12, 3
PROBED_ROWS = (1, 4)  # rows at a time of the two probes that a line is drawn through


class Fit(NamedTuple):
    """Rows at a time and the peak that is predicted for them, in bytes."""

    rows: int
    predicted: float


def step_seconds(folder: Path) -> float:
    """Return the median seconds of a finished probe's steps, the first ones left out: they warm caches up."""
    at = [line["seconds"] for line in read_metrics(folder) if line["step"] >= WARM_STEPS]
    if len(at) < 2:
        raise BadInput(f"{folder}: {len(at)} steps are too few for a pace")
    return statistics.median(after - before for before, after in pairwise(at))


def steps_in(seconds: float, a_step: float) -> int:
    """Return how many steps of that many seconds each fit into a time, one at least."""
    return max(1, int(seconds / max(a_step, 1e-9)))


def largest_batch(peaks: Mapping[int, int], rows: int, most: float) -> Fit | None:
    """Return the most rows at a time that divide `rows` and whose predicted peak is `most` bytes or less, else None.

    `peaks` are those measured with two numbers of rows at a time. What does not depend on the rows (program, weights,
    gradients, optimizer) and what each row adds (activations) make a line: peak = fixed + rows * each.
    """
    (few, low), (many, high) = sorted(peaks.items())
    each = max(0.0, (high - low) / (many - few))  # activations of a tiny network drown in the allocator's noise
    fits = [Fit(size, low + (size - few) * each) for size in range(rows, 0, -1) if rows % size == 0]
    return next((fit for fit in fits if fit.predicted <= most), None)


def peak_of(folder: Path) -> int:
    """Return the peak memory of a finished training: allocated on the GPU where it used one, else of its process."""
    record = read_json(folder / "record.json")
    return int(record.get("peak_gpu_memory_bytes") or record["peak_memory_bytes"])


def training_seconds(folder: Path) -> float:
    """Return the seconds from before the first to the last step of a finished training; work lost to kills is out."""
    lines = read_metrics(folder)
    return float(lines[-1]["seconds"] - lines[0]["seconds"])
