"""What a chart shows: the lines of one or several runs, read from their metrics.jsonl, and levels to compare with."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linnet.core.errors import BadInput
from linnet.core.metrics_log import NAME, read_metrics

Runs = Mapping[str, str | Path]  # a label for people -> the run's folder
TABLE_ROWS = 12


@dataclass(frozen=True)
class Line:
    """A series of numbers over steps; a quiet line is drawn thin and pale. Equal `group`s share a colour."""

    label: str
    points: tuple[tuple[float, float], ...]
    quiet: bool = False
    group: int = 0
    intervals: tuple[tuple[float, float], ...] = ()
    """From where to where each point may lie, where that is known: an upright bar."""


@dataclass(frozen=True)
class Level:
    """A number that does not change with training, such as gzip's bits per byte: a dashed line with its name."""

    label: str
    value: float


@dataclass(frozen=True)
class Chart:
    """One picture: lines over steps and levels, in one unit."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    levels: tuple[Level, ...] = ()
    log_x: bool = False
    from_zero: bool = False
    """Whether the vertical axis begins at zero: right for speeds and shares, wasteful for losses."""
    as_percent: bool = False
    across: str = "step"
    """What the horizontal axis counts."""

    @property
    def description(self) -> str:
        """What the picture shows, in one sentence of numbers, for those who do not see it."""
        said = [
            f"{line.label}: {self.number(line.points[0][1])} at {self.across} {place(line.points[0][0])}, "
            f"{self.number(line.points[-1][1])} at {self.across} {place(line.points[-1][0])}"
            for line in self.lines
        ]
        said += [f"{level.label}: {self.number(level.value)}" for level in self.levels]
        across = "training steps" if self.across == "step" else self.across
        return f"{self.title}, {self.unit}, over {across}. {'; '.join(said)}."

    def number(self, value: float) -> str:
        """Return a value of this chart for people."""
        if self.as_percent:
            return f"{value:.1%}"
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def curves(runs: Runs, levels: Iterable[Level] = (), log_x: bool = False) -> list[Chart]:
    """Return every chart that the runs have numbers for; `levels` are bits per byte of trivial baselines.

    Raises BadInput when a run has no metrics.jsonl, or none of these numbers in it.
    """
    charts = [
        loss_chart(runs),
        bits_per_byte_chart(runs, levels),
        speed_chart(runs),
        matmul_share_chart(runs),
        learning_rate_chart(runs),
    ]
    found = [dataclasses.replace(chart, log_x=log_x) for chart in charts if chart is not None]
    if not found:
        raise BadInput(f"{', '.join(str(folder) for folder in runs.values())}: no losses or speeds in {NAME} to draw")
    return found


def loss_chart(runs: Runs) -> Chart | None:
    """Return training loss (pale) and held-out loss over steps; None when no run has either."""
    return _chart("Loss", "nats per token", runs, {"held_out_loss": "held out", "loss": "training"})


def bits_per_byte_chart(runs: Runs, levels: Iterable[Level] = ()) -> Chart | None:
    """Return held-out bits per byte, with trivial baselines as levels; None when no run has them."""
    chart = _chart("Held-out text", "bits per byte", runs, {"held_out_bits_per_byte": "held out"})
    return None if chart is None else dataclasses.replace(chart, levels=tuple(levels))


def speed_chart(runs: Runs) -> Chart | None:
    """Return tokens a second; None when no run has them."""
    return _chart("Speed", "tokens a second", runs, {"tokens_per_second": "training"}, from_zero=True)


def matmul_share_chart(runs: Runs) -> Chart | None:
    """Return training arithmetic as a share of the machine's measured matmul limit; None when no run has it."""
    names = {"matmul_share": "training"}
    return _chart("Use of the machine", "share of its matmul limit", runs, names, from_zero=True, as_percent=True)


def learning_rate_chart(runs: Runs) -> Chart | None:
    """Return the factor on the learning rates; None when no run has it."""
    return _chart("Learning rate", "factor of its peak", runs, {"lr_factor": "factor"}, from_zero=True)


def rows(chart: Chart, most: int = TABLE_ROWS) -> list[list[str]]:
    """Return the chart's numbers as a table of at most `most` rows: a header, then step and one number a line.

    The steps are those of the line with the fewest, so that each row is as full as can be.
    """
    by_step = [dict(line.points) for line in chart.lines]
    several = [list(line) for line in by_step if len(line) > 1]
    steps = min(several, key=len) if several else sorted({step for line in by_step for step in line})
    if len(steps) > most:
        steps = [steps[round(place * (len(steps) - 1) / (most - 1))] for place in range(most)]
    table = [[chart.across, *(line.label for line in chart.lines), *(level.label for level in chart.levels)]]
    for step in steps:
        cells = [chart.number(line[step]) if step in line else "" for line in by_step]
        table.append([place(step), *cells, *(chart.number(level.value) for level in chart.levels)])
    return table


def place(where: float) -> str:
    """Return a place on the horizontal axis for people."""
    return f"{where:,}" if isinstance(where, int) else f"{where:.4g}"


def finite(value: Any) -> float | None:
    """Return a number read from a file as a float; None for anything that is no finite number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < 1e300 else None


def _chart(
    title: str,
    unit: str,
    runs: Runs,
    names: Mapping[str, str],
    from_zero: bool = False,
    as_percent: bool = False,
) -> Chart | None:
    """Return a chart of some of the logged numbers; `names` says what each is called, the first is the loudest."""
    lines: list[Line] = []
    for place, (run, folder) in enumerate(runs.items()):
        metrics = _metrics(folder)
        for rank, (key, name) in enumerate(names.items()):
            points = _points(metrics, key)
            if points:
                label = name if len(runs) == 1 else run if len(names) == 1 else f"{run}, {name}"
                # One run: a colour for each number. Several: a colour for each run.
                lines.append(Line(label, points, quiet=rank > 0, group=rank if len(runs) == 1 else place))
    if not lines:
        return None
    return Chart(title, unit, tuple(lines), from_zero=from_zero, as_percent=as_percent)


def _metrics(folder: str | Path) -> list[dict[str, Any]]:
    metrics = read_metrics(folder)
    if not metrics:
        raise BadInput(
            f"{Path(folder) / NAME}: holds no whole line; the run was stopped too early or the file is broken"
        )
    return metrics


def _points(metrics: list[dict[str, Any]], key: str) -> tuple[tuple[int, float], ...]:
    """Return (step, number) wherever the number is there; what was NaN is null in the file and left out."""
    found = ((row["step"], finite(row.get(key))) for row in metrics)
    return tuple((step, value) for step, value in found if value is not None and abs(step) < 2**53)
