"""Results side by side: rows of named values as aligned text and as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

Value = str | int | float | None


def result_row(name: str, result: Mapping[str, Any]) -> dict[str, Value]:
    """Return the row of a model or baseline from its numbers (`held_out`, `writing`, `against_first`; any may lack)."""
    cost, writing = result.get("held_out", result), result.get("writing", {})
    row: dict[str, Value] = {"model": name}
    for column in ("bits_per_byte", "bits_per_byte_low", "bits_per_byte_high", "perplexity", "loss"):
        row[column] = cost.get(column)
    if "against_first" in result:
        row["against_first"] = result["against_first"]["verdict"]
    for column in ("share", "share_low", "share_high", "distinct", "memorised"):
        if column in writing:
            row[f"stories_{column}"] = writing[column]
    return row


def columns_of(rows: Sequence[Mapping[str, Value]]) -> list[str]:
    """Return the names of all columns in the order they first occur."""
    return list(dict.fromkeys(name for row in rows for name in row))


def text_table(rows: Sequence[Mapping[str, Value]]) -> str:
    """Return rows as aligned columns under their names; numbers to the right with 4 digits, missing values empty."""
    names = columns_of(rows)
    cells = [names, *([_word(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
    numeric = [all(not isinstance(row.get(name), str) for row in rows) for name in names]
    lines = []
    for line in cells:
        parts = zip(line, widths, numeric, strict=True)
        lines.append("  ".join(word.rjust(width) if right else word.ljust(width) for word, width, right in parts))
    return "\n".join(line.rstrip() for line in lines)


def csv_text(rows: Sequence[Mapping[str, Value]]) -> str:
    """Return rows as CSV with a header, numbers in full precision."""
    file = io.StringIO()
    writer = csv.DictWriter(file, columns_of(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _word(value: Value) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else f"{value}"
