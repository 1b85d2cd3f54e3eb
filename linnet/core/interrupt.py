"""Ctrl-C and SIGTERM as a wish to stop between two steps; a second one ends the process at once."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from linnet.core.console import logger
from linnet.core.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """While open, the first signal only sets `asked`; the recipe saves and leaves with `leave()`.

    ```
    with Interrupt() as interrupt:
        for step in steps(...):
            if interrupt.asked:
                state.save(run); interrupt.leave("saved at step 120; the same command with --resume goes on")
    ```
    Outside the main thread, where Python allows no handlers, it never asks.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    @property
    def asked(self) -> bool:
        """Whether somebody asked to stop."""
        return self.signal is not None

    def leave(self, message: str) -> None:
        """Raise Stopped with the message when somebody asked to stop: exit code 130 (Ctrl-C) or 143 (SIGTERM)."""
        if self.signal is not None:
            raise Stopped(message, exit_code=128 + self.signal)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.signal = number
        logger.warning("stopping after this step; once more stops at once")
