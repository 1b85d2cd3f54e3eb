"""Pages about judging answers: how good a verifier is, and what more tries and a judge among them are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from linnet.report.curves import Chart, Level, Line
from linnet.report.page import Curves, Headline, Headlines, Table, write_page

Numbers = Mapping[str, Any]


def write_verifier_page(
    folder: Path, quality: Numbers, baselines: Mapping[str, Numbers], calibration: Sequence[tuple[float, float]]
) -> Path:
    """Write `index.html`: AUROC beside the baselines', and the reliability picture of (promised, came) points."""
    low, high = quality["interval"]
    protocol = f"{quality['answers']:,} answers to {quality['problems']:,} held-out problems"
    blind = ", ".join(f"{name} {found['auroc']:.3f}" for name, found in baselines.items())
    numbers = (
        Headline("AUROC", f"{quality['auroc']:.3f}", f"95% {low:.3f} to {high:.3f}; {blind}", protocol),
        Headline("Calibration error", f"{quality['calibration_error']:.3f}", "0 is perfect", "ten bins of equal width"),
    )
    rows = tuple(_quality_row(name, found) for name, found in {"verifier": quality, **baselines}.items())
    columns = ("judge", "AUROC", "95%", "of one problem's answers", "calibration error", "Brier", "accuracy")
    return write_page(
        folder,
        Headlines("How well it judges", numbers),
        Curves("What it promises and what comes", (reliability_chart(calibration),)),
        Table("Beside simpler judges", columns, rows, numeric=frozenset(range(1, len(columns)))),
        title="A verifier",
        lead=f"Judged on {protocol}; {quality['share_right']:.1%} of these answers are right.",
    )


def write_search_page(folder: Path, found: Numbers, protocol: str) -> Path:
    """Write `index.html`: accuracy over tries and over tokens for each rule, and what the last of each gains.

    `found` has `curves`, the points `one_try` and `greedy`, and `gains` and `gains_over_greedy`.
    """
    greedy = found["greedy"]
    columns = ("rule", "tries", "tokens", "right", "95%", "gain over one try", "gain over greedy")
    gains = (found["gains"], found["gains_over_greedy"])
    last = {"one try": found["one_try"], "greedy": greedy, **{name: on[-1] for name, on in found["curves"].items()}}
    rows = tuple(_search_row(name, point, [gain.get(name) for gain in gains]) for name, point in last.items())
    level = (Level("greedy", greedy["right"]),)
    charts = tuple(replace(search_chart(found["curves"], over), levels=level) for over in ("tries", "tokens"))
    return write_page(
        folder,
        Curves("Accuracy against compute", charts, "Tries and tokens are those of a problem in the mean."),
        Table("What the most compute gives", columns, rows, numeric=frozenset(range(1, 5))),
        title="Test-time compute",
        lead=protocol,
    )


def search_chart(curves: Mapping[str, Sequence[Numbers]], over: str) -> Chart:
    """Return accuracy over `tries` or `tokens`, a line a rule, the ceiling pale."""
    lines = []
    for place, (name, points) in enumerate(curves.items()):
        ordered = sorted(points, key=lambda point: point[over])
        at = tuple((_whole(point[over]), point["right"]) for point in ordered)
        lines.append(Line(name, at, name == "pass@n", place, tuple(tuple(point["interval"]) for point in ordered)))
    return Chart(f"Right answers over {over}", "share right", tuple(lines), log_x=True, as_percent=True, across=over)


def _search_row(name: str, point: Numbers, gains: Sequence[Numbers | None]) -> tuple[str, ...]:
    low, high = point["interval"]
    cells = (
        name,
        f"{point['tries']:.3g}",
        f"{point['tokens']:,.0f}",
        f"{point['right']:.1%}",
        f"{low:.1%} to {high:.1%}",
    )
    return (*cells, *("" if gain is None else _gain(gain) for gain in gains))


def _gain(gain: Numbers) -> str:
    return f"{gain['difference']:+.1%} ({gain['low']:+.1%} to {gain['high']:+.1%}): {gain['verdict']}"


def _whole(value: float) -> float:
    return int(value) if value == int(value) else value


def reliability_chart(calibration: Sequence[tuple[float, float]]) -> Chart:
    """Return the reliability picture of (promised, came) points beside the line of perfect calibration."""
    lines = (Line("verifier", tuple(calibration)), Line("perfect", ((0.0, 0.0), (1.0, 1.0)), quiet=True, group=5))
    return Chart("Reliability", "share that is right", lines, from_zero=True, as_percent=True, across="score")


def _quality_row(name: str, found: Numbers) -> tuple[str, ...]:
    low, high = found["interval"]
    within = "" if found["auroc_within"] is None else f"{found['auroc_within']:.3f}"
    rest = (f"{found[key]:.3f}" for key in ("calibration_error", "brier", "accuracy"))
    return (name, f"{found['auroc']:.3f}", f"{low:.3f} to {high:.3f}", within, *rest)
