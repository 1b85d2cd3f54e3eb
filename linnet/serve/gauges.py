"""Numbers for Prometheus, in its text format: counts, levels and times in buckets."""

from collections import Counter
from collections.abc import Iterable, Mapping

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
Labels = tuple[tuple[str, str], ...]


class Gauges:
    """What a server has done since it was started; all from the event loop's thread."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[Labels]] = {}
        self._times: dict[str, dict[Labels, list[float]]] = {}
        self._about: dict[str, str] = {}

    def count(self, name: str, about: str, by: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self._about[name] = about
        self._counts.setdefault(name, Counter())[tuple(sorted(labels.items()))] += by  # type: ignore[assignment]

    def time(self, name: str, about: str, seconds: float, **labels: str) -> None:
        """Put a time into the buckets of a histogram."""
        self._about[name] = about
        row = self._times.setdefault(name, {}).setdefault(tuple(sorted(labels.items())), [0.0] * (len(SECONDS) + 2))
        for place, limit in enumerate(SECONDS):
            row[place] += seconds <= limit
        row[-2] += 1
        row[-1] += seconds

    def text(self, levels: Iterable[tuple[str, str, Mapping[str, str], float]] = ()) -> str:
        """Return all in Prometheus' text format 0.0.4; `levels` are (name, about, labels, value) of now."""
        lines: list[str] = []
        for name, rows in self._counts.items():
            lines += self._head(name, "counter")
            lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in rows.items()]
        for name, timed in self._times.items():
            lines += self._head(name, "histogram")
            for labels, row in timed.items():
                limits = [*map(str, SECONDS), "+Inf"]
                lines += [
                    f"{name}_bucket{_labels((*labels, ('le', limit)))} {_number(value)}"
                    for limit, value in zip(limits, row, strict=False)
                ]
                lines += [f"{name}_sum{_labels(labels)} {row[-1]:.6f}", f"{name}_count{_labels(labels)} {row[-2]:.0f}"]
        said = set()
        for name, about, marks, value in levels:
            if name not in said:
                lines += [f"# HELP {name} {about}", f"# TYPE {name} gauge"]
                said.add(name)
            lines.append(f"{name}{_labels(tuple(sorted(marks.items())))} {_number(value)}")
        return "\n".join(lines) + "\n"

    def _head(self, name: str, kind: str) -> list[str]:
        return [f"# HELP {name} {self._about[name]}", f"# TYPE {name} {kind}"]


def _labels(labels: Labels) -> str:
    def plain(value: str) -> str:
        return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

    return "{" + ",".join(f'{name}="{plain(value)}"' for name, value in labels) + "}" if labels else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
