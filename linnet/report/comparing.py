"""The page of a comparison: score, memory, time and forgetting of each method, verdicts, replies side by side."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from linnet.report.curves import Chart, Level, Line
from linnet.report.page import (
    Command,
    Commands,
    Curves,
    Headline,
    Headlines,
    Sample,
    Samples,
    Section,
    Table,
    Warnings,
    duration,
    size,
    write_page,
)

Numbers = Mapping[str, Any]


def write_comparison_page(folder: Path, table: Numbers, measured: Mapping[str, Numbers], samples: int) -> Path:
    """Write `index.html` of a comparison's table; `measured` holds by name what the first seed replied and wrote."""
    sections: list[Section] = [Headlines("What came out", headlines(table))]
    if table["left_out"]:
        said = tuple(f"{name}: {why}" for name, why in table["left_out"].items())
        sections.append(Warnings("Left out", said))
    sections += [
        score_table(table),
        Curves("What a score costs", tuple(charts(table))),
        cost_table(table),
        Samples(
            "Before and after: the first questions",
            tuple(replies(measured, samples, table["metric"])),
            "The base asked without and after examples, then each method's first seed; nothing is picked by hand.",
        ),
        Samples(
            "Before and after: going on with a held-out text",
            tuple(written(measured)),
            "The same beginning, greedily gone on with: what a tuned model still writes of what the base had learned.",
        ),
        *next_commands(folder, table),
    ]
    kept = [one for one in sections if not (isinstance(one, Samples) and not one.samples)]
    return write_page(folder, *kept, title=f"Ways of tuning, compared: {table['task']}", lead=table["protocol"][0])


def next_commands(folder: Path, table: Numbers) -> list[Commands]:
    """Return what to type next: talk to the best, and try its learning rate."""
    tuned = [row for row in table["rows"] if row["kind"] == "tuned"]
    if not tuned:
        return []
    best = max(tuned, key=lambda row: row["score"])["name"]
    talk = Command(f"linnet chat {folder}/trained/{best}-0", f"Talk to {best}, which scores highest here.")
    return [Commands("What to try next", (talk,))]


def headlines(table: Numbers) -> tuple[Headline, ...]:
    """Return the score of every tuned method."""
    tuned = [row for row in table["rows"] if row["kind"] == "tuned"]
    return tuple(
        Headline(
            row["name"],
            _score(row["score"]),
            f"95% {_span(row)}",
            f"{table['metric']}, {row['seeds']} seed{'' if row['seeds'] == 1 else 's'}; "
            f"{row['trained_parameters']:,} of {row['parameters']:,} parameters learn",
        )
        for row in tuned
    )


def score_table(table: Numbers) -> Table:
    """Return scores with intervals and verdicts, a row a method or baseline; trivial means meet the methods alone."""
    pairs = {
        "against_reference": f"against {table['reference']}",
        "against_zero_shot": "against zero-shot",
        "against_trivial": "against the best trivial",
    }
    body = tuple(
        (
            *(row["name"], row["kind"], _score(row["score"]), _span(row)),
            *("" if row["kind"] == "trivial" and key != "against_reference" else _verdict(row[key]) for key in pairs),
        )
        for row in table["rows"]
    )
    trivial = "; ".join(f"{name}: {about}" for name, about in table.get("trivial", {}).items())
    note = f"{table['protocol'][1]} {f'Trivial means: {trivial}.' if trivial else ''}".strip()
    columns = ("method", "kind", table["metric"], "95%", *pairs.values())
    return Table("Scores", columns, body, note, numeric=frozenset((2, 3)))


def cost_table(table: Numbers) -> Table:
    """Return what each training took and what it forgot; what no row has, has no column."""
    tuned = [row for row in table["rows"] if row["kind"] == "tuned"]
    foretold = any("predicted_peak_bytes" in row for row in tuned)
    summed = any(row["accumulate"] > 1 for row in tuned)
    body = tuple(
        (
            row["name"],
            f"{row['trained_parameters']:,}",
            size(row["peak_memory_bytes"]),
            *((size(row.get("predicted_peak_bytes")),) if foretold else ()),
            duration(row["seconds"]),
            f"{row['steps']:,} x {row['batch_size']}" + (f" x {row['accumulate']}" if summed else ""),
            f"x {row['rate']:g}",
            *_forgetting(row),
        )
        for row in tuned
    )
    base = next((row for row in table["rows"] if row["name"] == "zero-shot" and "bits_per_byte" in row), None)
    before = "" if base is None else f"The base has {base['bits_per_byte']:.4f} bits per byte. "
    columns = (
        *("method", "learns", "peak memory", *(("predicted",) if foretold else ()), "time"),
        *(f"steps x rows{' x summed' if summed else ''}", "rates", "bits per byte", "forgotten"),
    )
    note = before + " ".join([*table["protocol"][2:], *at_the_edge(tuned)])
    return Table("Costs and forgetting", columns, body, note, frozenset(range(1, len(columns))))


def at_the_edge(tuned: Sequence[Numbers]) -> list[str]:
    """Return a sentence on the methods whose best rate is the least or greatest that was tried."""
    tried = [(row, [float(factor) for factor in row.get("tried_rates", {})]) for row in tuned]
    found = [
        f"{row['name']} (x {row['rate']:g})" for row, all_ in tried if all_ and row["rate"] in (min(all_), max(all_))
    ]
    return [f"At the edge of the rates tried, so that others may do better: {', '.join(found)}."] if found else []


def charts(table: Numbers) -> list[Chart]:
    """Return score over what learns, over memory, and over what was forgotten; baselines are levels."""
    tuned = [row for row in table["rows"] if row["kind"] == "tuned"]
    prompted = [row for row in table["rows"] if row["kind"] == "prompted"]
    trivial = max(
        (row for row in table["rows"] if row["kind"] == "trivial"), key=lambda row: row["score"], default=None
    )
    levels = tuple(Level(row["name"], row["score"]) for row in [*prompted, *([trivial] if trivial else [])])
    chart = partial(_chart, table["metric"], levels)
    found = [
        chart(tuned, "parameters that learn", lambda row: row["trained_parameters"], log_x=True),
        chart(tuned, "MiB at the peak", lambda row: row["peak_memory_bytes"] / 2**20),
        chart(
            [row for row in tuned if "forgotten" in row],
            "bits per byte forgotten",
            lambda row: row["forgotten"]["difference"],
        ),
    ]
    return [chart for chart in found if chart.lines]


def bars_of(table: Numbers) -> list[dict[str, Any]]:
    """Return the rows of a picture of bars: methods and prompting, and the best trivial means as a line."""
    trivial = {row["name"]: row["score"] for row in table["rows"] if row["kind"] == "trivial"}
    best = max(trivial, key=lambda name: trivial[name], default=None)
    return [
        {
            "run": row["name"],
            "task": table["task"],
            "metric": table["metric"],
            **{name: row["score" if name == "value" else name] for name in ("value", "low", "high")},
            "baselines": trivial,
            "best_baseline": best,
        }
        for row in table["rows"]
        if row["kind"] != "trivial"
    ]


def replies(measured: Mapping[str, Numbers], count: int, metric: str) -> list[Sample]:
    """Return the first questions with what each model replied; a score between right and wrong is only told."""
    asked = {name: one["replies"][:count] for name, one in measured.items() if "replies" in one}
    return [
        Sample(
            row["reply"] or "(nothing)",
            {0: "wrong", 1: "right"}.get(row["score"], ""),
            () if row["score"] else (f"wanted: {row['wanted']}",),
            name,
            f"{row['question']} ",
            f"{metric} {row['score']:.2f}; wanted: {row['wanted']}" if 0 < row["score"] < 1 else "",
        )
        for place in range(max(map(len, asked.values()), default=0))
        for name, rows in asked.items()
        for row in rows[place : place + 1]
    ]


def written(measured: Mapping[str, Numbers]) -> list[Sample]:
    """Return how each model goes on with the beginning of a held-out text."""
    return [
        Sample(one["wrote"], "", (), name, one["opening"], f"{one['bits_per_byte']:.4f} bits per byte of all of it")
        for name, one in measured.items()
        if "wrote" in one
    ]


def _chart(
    metric: str, levels: tuple[Level, ...], rows: Sequence[Numbers], across: str, place: Any, log_x: bool = False
) -> Chart:
    lines = tuple(
        Line(row["name"], ((place(row), row["score"]),), False, number, ((row["low"], row["high"]),))
        for number, row in enumerate(rows)
    )
    return Chart(f"Score over {across}", metric, lines, levels, log_x=log_x, across=across)


def _score(value: float) -> str:
    return f"{value:.3f}"


def _span(row: Numbers) -> str:
    return f"{row['low']:.3f} to {row['high']:.3f}"


def _verdict(found: Numbers | None) -> str:
    if found is None:
        return ""
    return f"{found['verdict']}: {found['difference']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"


def _forgetting(row: Numbers) -> tuple[str, str]:
    found = row.get("forgotten")
    now = f"{row['bits_per_byte']:.4f}" if "bits_per_byte" in row else ""
    return now, "" if found is None else f"{found['difference']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"
