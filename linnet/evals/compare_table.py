"""The table of a comparison: a row a method or baseline, with intervals over questions and seeds, and verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from linnet.evals.measures import Measure
from linnet.evals.table import Value
from linnet.metrics import compare_over_seeds, interval_over_seeds

Numbers = Mapping[str, Any]
PROMPTED = ("zero-shot", "few-shot")  # the base itself, asked without and after solved examples


@dataclass(frozen=True)
class Entry:
    """A method or baseline: what each seed measured (of a baseline one), and what its training was and cost."""

    name: str
    kind: str  # tuned, prompted, trivial
    measured: tuple[Numbers, ...]
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scores(self) -> np.ndarray:
        """The scores of the rows, [seeds, rows]."""
        return np.array([one["scores"] for one in self.measured], dtype=np.float64)


def table_rows(entries: Sequence[Entry], metric: str, reference: str) -> list[dict[str, Any]]:
    """Return a row an entry; it is held against the reference method, the zero-shot base and the best trivial one."""
    by_name = {entry.name: entry for entry in entries}
    trivial = [entry for entry in entries if entry.kind == "trivial"]
    best = max(trivial, key=lambda entry: float(entry.scores.mean()), default=None)
    rows = []
    for entry in entries:
        low, high = interval(entry.scores, metric)
        row: dict[str, Any] = {
            "name": entry.name,
            "kind": entry.kind,
            "seeds": len(entry.measured) if entry.kind == "tuned" else None,
            "score": float(entry.scores.mean()),
            "low": low,
            "high": high,
            "scores_of_seeds": entry.scores.mean(1).tolist(),
            "against_reference": against(entry, by_name.get(reference)),
            "against_zero_shot": against(entry, by_name.get(PROMPTED[0])),
            "against_trivial": against(entry, best),
            **dict(entry.training),
            **forgetting(entry, by_name.get(PROMPTED[0])),
        }
        rows.append(row)
    return rows


def interval(scores: np.ndarray, metric: str) -> tuple[float, float]:
    """Return the 95% interval of the mean of [seeds, rows]: over both, of one seed over rows alone.

    Of few seeds that differ much it may reach past what a score can be, 0 to 1, and ends there.
    """
    if len(scores) == 1:
        return Measure.mean(metric, scores[0]).interval()
    low, high = interval_over_seeds(scores)
    return (max(low, 0.0), min(high, 1.0)) if scores.min() >= 0 and scores.max() <= 1 else (low, high)


def against(entry: Entry, other: Entry | None) -> dict[str, Any] | None:
    """Return how an entry compares in pairs; a baseline, which has no seeds, meets every seed of the other."""
    if other is None or other.name == entry.name:
        return None
    a, b = entry.scores, other.scores
    seeds = max(len(a), len(b))
    a, b = (np.broadcast_to(one, (seeds, one.shape[1])) if len(one) == 1 else one for one in (a, b))
    return asdict(compare_over_seeds(a, b, higher_is_better=True))


def forgetting(entry: Entry, base: Entry | None) -> dict[str, Any]:
    """Return bits per byte and perplexity of the base's own text, and what the tuning added to the bits.

    Blocks of text stand in for questions: the interval is over blocks and seeds. "worse" is: forgot.
    """
    if not all("block_bits" in one for one in entry.measured):
        return {}
    found: dict[str, Any] = {
        name: float(np.mean([one[name] for one in entry.measured])) for name in ("bits_per_byte", "perplexity")
    }
    if base is None or entry.name == base.name or "block_bits" not in base.measured[0]:
        return found
    sizes = np.array(base.measured[0]["block_bytes"], dtype=np.float64)
    # In parts of the mean block's bytes, so that the mean over blocks is the bits per byte of the whole text.
    after, before = (
        np.array([one["block_bits"] for one in side.measured], dtype=np.float64) / sizes.mean()
        for side in (entry, base)
    )
    before = np.broadcast_to(before, after.shape)
    if after.shape[1] < 2:
        return found
    return {**found, "forgotten": asdict(compare_over_seeds(after, before, higher_is_better=False))}


def flat(row: Numbers) -> dict[str, Value]:
    """Return a row of the table with nothing nested, for CSV and for people."""
    plain: dict[str, Value] = {
        name: row.get(name)
        for name in (
            *("name", "kind", "seeds", "score", "low", "high", "trained_parameters", "parameters"),
            *("peak_memory_bytes", "predicted_peak_bytes", "seconds", "steps", "batch_size", "accumulate", "rate"),
            *("bits_per_byte", "perplexity"),
        )
    }
    for name in ("against_reference", "against_zero_shot", "against_trivial", "forgotten"):
        found = row.get(name) or {}
        plain |= {name: found.get("verdict"), f"{name}_difference": found.get("difference")}
        plain |= {f"{name}_low": found.get("low"), f"{name}_high": found.get("high")}
    plain["scores_of_seeds"] = " ".join(f"{score:.4g}" for score in row["scores_of_seeds"])
    return plain | {"note": row.get("note", "")}


def short(row: Numbers, reference: str) -> dict[str, Value]:
    """Return the columns that fit a screen."""
    seconds, peak, learned = (row.get(name) for name in ("seconds", "peak_memory_bytes", "trained_parameters"))
    forgotten = row.get("forgotten") or {}
    return {
        "method": row["name"],
        "learns": None if learned is None else f"{learned:,}",
        "MiB": None if peak is None else round(peak / 2**20),
        "seconds": None if seconds is None else round(seconds, 1),
        "score": row["score"],
        "low": row["low"],
        "high": row["high"],
        f"against {reference}": (row["against_reference"] or {}).get("verdict"),
        "against zero-shot": (row["against_zero_shot"] or {}).get("verdict"),
        "bits per byte": row.get("bits_per_byte"),
        "forgotten": forgotten.get("difference"),
    }
