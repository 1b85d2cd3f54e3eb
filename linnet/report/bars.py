"""The picture of a suite's table: for each task a bar a run with its 95% interval, and the best baseline as a line.

Written as SVG by hand, so that it needs no library. Colours are CSS variables with a colour for where there is no page.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from linnet.core.files import write_atomic
from linnet.report.svg import COLORS

NAME = "table.svg"
WIDTH, LABELS, NUMBERS = 660, 170, 150  # of the picture, of the runs' names, of the numbers at the right
BAR, GAP, HEADING = 14, 6, 30
MOST_LETTERS = 26
Row = Mapping[str, Any]


def write_picture(folder: Path, rows: Sequence[Row]) -> Path:
    """Write `table.svg` of the rows of a suite into a folder and return its path."""
    path = folder / NAME
    write_atomic(path, bars(rows).encode("utf-8", "replace"))
    return path


def bars(rows: Sequence[Row]) -> str:
    """Return the `<svg>` of the main measure of each task: rows with run, task, metric, value, low, high, baselines."""
    groups = main_measures(rows)
    parts, top = [], 4
    for group in groups:
        parts.append(_heading(group, top))
        largest = _largest(group)
        for number, row in enumerate(group):
            parts.append(_bar(row, number, top + HEADING + number * (BAR + GAP), largest))
        parts.append(_baseline(group, top + HEADING, largest))
        top += HEADING + len(group) * (BAR + GAP) + GAP
    said = _xml("; ".join(described(group) for group in groups))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" class="chart" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12.5" fill="currentColor"><title>Scores of each task</title>'
        f"<desc>{said}</desc>{''.join(parts)}</svg>"
    )


def main_measures(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows of the first measure of each task, a list a task."""
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(row["task"], row["metric"])
    return [
        [row for row in rows if (row["task"], row["metric"]) == pair and _finite(row["value"])]
        for pair in first.items()
    ]


def described(group: Sequence[Row]) -> str:
    """Return a task's numbers in words, for those who do not see the picture."""
    if not group:
        return ""
    told = [f"{row['run']} {_number(row['value'])} ({_number(row['low'])} to {_number(row['high'])})" for row in group]
    best = group[0]["best_baseline"]
    beside = "" if best is None else f", best baseline {best} {_number(group[0]['baselines'][best])}"
    return f"{group[0]['task']}, {group[0]['metric']}: {', '.join(told)}{beside}"


def _heading(group: Sequence[Row], top: int) -> str:
    if not group:
        return ""
    row = group[0]
    better = "" if row.get("higher_is_better", True) else " (lower is better)"
    words = _xml(f"{_short(row['task'])}: {row['metric']}{better}")
    return f'<text x="0" y="{top + 18}" font-weight="600">{words}</text>'


def _bar(row: Row, number: int, top: int, largest: float) -> str:
    middle, color = top + BAR / 2, COLORS[number % len(COLORS)]
    left, right = (_place(row[end], largest) for end in ("low", "high"))
    numbers = f"{_number(row['value'])} [{_number(row['low'])}, {_number(row['high'])}]"
    ends = "".join(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{middle - 4:.1f}" y2="{middle + 4:.1f}"/>' for x in (left, right)
    )
    return (
        f'<text x="{LABELS - 8}" y="{middle + 4:.1f}" text-anchor="end">{_xml(_short(row["run"]))}</text>'
        f'<rect x="{LABELS}" y="{top}" width="{_place(row["value"], largest) - LABELS:.1f}" height="{BAR}" '
        f'fill="var(--line-{number % len(COLORS) + 1}, {color})"/>'
        f'<g stroke="currentColor" stroke-width="1.2"><line x1="{left:.1f}" x2="{right:.1f}" y1="{middle:.1f}" '
        f'y2="{middle:.1f}"/>{ends}</g>'
        f'<text x="{WIDTH - NUMBERS + 8}" y="{middle + 4:.1f}">{numbers}</text>'
    )


def _baseline(group: Sequence[Row], top: int, largest: float) -> str:
    best = group[0]["best_baseline"] if group else None
    if best is None:
        return ""
    value = group[0]["baselines"][best]
    words = _xml(f"best baseline: {best} {_number(value)}")
    place, bottom = _place(value, largest), top + len(group) * (BAR + GAP)
    return (
        f'<line x1="{place:.1f}" x2="{place:.1f}" y1="{top - 4}" y2="{bottom}" stroke="currentColor" '
        f'stroke-dasharray="4 3" opacity="0.7"/>'
        f'<text x="{WIDTH}" y="{top - 10}" text-anchor="end" opacity="0.8">{words}</text>'
    )


def _largest(group: Sequence[Row]) -> float:
    """Return the value of a full bar: 1 for shares, else a little more than the largest number."""
    ends = [row["high"] for row in group if _finite(row["high"])] + [row["value"] for row in group]
    ends += [value for row in group for value in row["baselines"].values() if _finite(value)]
    most = max(ends, default=1.0)
    return 1.0 if most <= 1 else most * 1.05


def _place(value: float, largest: float) -> float:
    share = min(max(value / largest, 0.0), 1.0) if _finite(value) else 1.0
    return LABELS + share * (WIDTH - LABELS - NUMBERS)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _xml(text: str) -> str:
    return escape("".join(letter if letter.isprintable() else " " for letter in text))


def _short(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else f"…{name[-MOST_LETTERS + 1 :]}"
