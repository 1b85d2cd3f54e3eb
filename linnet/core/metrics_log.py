"""metrics.jsonl: one line a logged step, flushed; cut on resume, read back, exported as CSV."""

import contextlib
import csv
import fcntl
import io
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from linnet.core.errors import BadInput
from linnet.core.files import says_when_full, write_atomic

NAME = "metrics.jsonl"


class MetricsLog:
    """The open metrics.jsonl of one run; holding it open and locked also keeps a second process out of the folder.

    Raises BadInput on opening when another process is writing there.
    """

    def __init__(self, folder: str | Path):
        self.path = Path(folder) / NAME
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            # Ends with this descriptor, also on `kill -9`. (A POSIX lock would end as soon as anything in this process
            # reads the file and closes it again, as `cut_after` and `read_metrics` do.)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise BadInput(
                f"{folder}: another process is writing this run; wait for it or choose another --out"
            ) from None
        self._last: dict[str, Any] = {}
        self._last_offset = os.fstat(self._descriptor).st_size

    def log(self, step: int, numbers: dict[str, Any]) -> None:
        """Write the numbers of a step; a second call for the same step adds to its line. NaN is written as null."""
        if self._last.get("step") == step:
            self._last = {**self._last, **plain(numbers)}
        else:
            self._last_offset = os.fstat(self._descriptor).st_size
            self._last = {"step": step, **plain(numbers)}
        line = json.dumps(self._last, ensure_ascii=False).encode() + b"\n"
        with says_when_full(self.path.parent):
            os.pwrite(self._descriptor, line, self._last_offset)
            os.ftruncate(self._descriptor, self._last_offset + len(line))

    def cut_after(self, step: int) -> dict[str, Any]:
        """Remove the lines of later steps and a line cut short by a kill; returns the last line that stays."""
        self._last, end = {}, 0
        for offset, line, numbers in _lines(self.path):
            if numbers["step"] > step:
                break
            self._last, self._last_offset, end = numbers, offset, offset + len(line)
        os.ftruncate(self._descriptor, end)
        return self._last

    def clear(self) -> None:
        """Remove all lines."""
        self.cut_after(-1)

    def close(self) -> None:
        """Close the file and let its lock go; closing twice is fine."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def read_metrics(folder: str | Path) -> list[dict[str, Any]]:
    """Return the logged steps of a run folder, oldest first; raises BadInput when there are none to read."""
    path = Path(folder) / NAME
    if not path.is_file():
        raise BadInput(f"{path}: does not exist; a run folder has one")
    return [numbers for _, _, numbers in _lines(path)]


def metrics_csv(folder: str | Path, to: str | Path | None = None) -> str:
    """Return a run's metrics as CSV, a row a logged step and a column a number; also written to `to` when given."""
    rows = read_metrics(folder)
    columns = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    if to is not None:
        write_atomic(to, text.getvalue())
    return text.getvalue()


def plain(value: Any) -> Any:
    """Return a value as JSON has it: one-element tensors as numbers, NaN and infinities as null, paths as words."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Path):
        return str(value)
    number = float(value)
    return number if math.isfinite(number) else None


def _lines(path: Path) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    """Yield (offset, line, numbers) up to the first line that is not whole."""
    offset = 0
    with open(path, "rb") as file:
        for line in file:
            numbers = None
            with contextlib.suppress(ValueError):
                numbers = json.loads(line)
            if not isinstance(numbers, dict) or not isinstance(numbers.get("step"), int) or line[-1:] != b"\n":
                return
            yield offset, line, numbers
            offset += len(line)
