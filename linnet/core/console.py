"""What a person sees while linnet works: log lines and one line of progress, on stderr; stdout is for results."""

import functools
import logging
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("linnet")


@functools.cache
def stderr_console() -> "Console":
    """Return the one console on stderr, so that log lines go above a live progress line; obeys NO_COLOR."""
    from rich.console import Console

    return Console(stderr=True)


def start_logging(level: int = logging.INFO) -> None:
    """Send linnet's log to stderr: through rich on a terminal, as plain `linnet: ...` lines elsewhere."""
    handler: logging.Handler
    if sys.stderr.isatty():
        from rich.logging import RichHandler

        handler = RichHandler(console=stderr_console(), show_path=False, show_level=False, log_time_format="[%X]")
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("linnet: %(message)s"))
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False


class Progress:
    """One live line on a terminal; elsewhere (a pipe, a log file) a plain line every `every_seconds`.

    Use as a context: `with Progress(total, "pretrain") as progress: ... progress.update(step, loss=...)`.
    """

    def __init__(self, total: int, what: str, every_seconds: float = 10.0):
        self.total, self.what, self.every_seconds = total, what, every_seconds
        self._live: Any = None
        self._task: Any = None
        self._started = self._said = time.monotonic()
        self._first_step: int | None = None

    def __enter__(self) -> Self:
        if stderr_console().is_terminal:
            self._live = _live_line()
            self._live.start()
            self._task = self._live.add_task(self.what, total=self.total, words="")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def update(
        self,
        step: int,
        *,
        loss: float | None = None,
        tokens_per_second: float | None = None,
        matmul_share: float | None = None,
        memory_bytes: int | None = None,
        note: str = "",
    ) -> None:
        """Show that `step` of the total is done; `matmul_share` is a fraction of the machine's measured limit."""
        self._first_step = step if self._first_step is None else self._first_step
        words = numbers_line(loss, tokens_per_second, matmul_share, memory_bytes, note)
        now = time.monotonic()
        if self._live is not None:
            self._live.update(self._task, completed=step, words=words)
        elif now - self._said >= self.every_seconds or step == self.total:
            self._said = now
            left = clock_words(self.seconds_left(step, now))
            percent = 100 * step // max(self.total, 1)
            logger.info("%s %d%% %d/%d  %s  %s left", self.what, percent, step, self.total, words, left)

    def seconds_left(self, step: int, now: float) -> float | None:
        """Return the time left at the pace so far, None before there is a pace."""
        done = step - (self._first_step or 0)
        return (now - self._started) / done * (self.total - step) if done > 0 else None


def numbers_line(
    loss: float | None,
    tokens_per_second: float | None,
    matmul_share: float | None,
    memory_bytes: int | None,
    note: str = "",
) -> str:
    """Return the known numbers as words: `loss 1.234  12.3k tok/s  51% of matmul  0.4 GiB`."""
    words = [
        "" if loss is None else f"loss {loss:.4f}",
        "" if tokens_per_second is None else f"{count_words(tokens_per_second)} tok/s",
        "" if matmul_share is None else f"{100 * matmul_share:.0f}% of matmul",
        "" if memory_bytes is None else f"{memory_bytes / 2**30:.1f} GiB",
        note,
    ]
    return "  ".join(word for word in words if word)


def count_words(number: float) -> str:
    """Return a count in at most four signs before the unit: 999, 12.3k, 1.5M, 2.0G."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.1f}{unit}"
    return f"{number:.0f}"


def clock_words(seconds: float | None) -> str:
    """Return a duration as 0:05, 12:34 or 1:02:03; `?` when unknown."""
    if seconds is None:
        return "?"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def _live_line() -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Live

    columns = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[words]}", markup=False),
        TimeRemainingColumn(),
    ]
    return Live(*columns, console=stderr_console(), refresh_per_second=4, speed_estimate_period=60)
