"""A linnet command in a fresh process: its peak memory is its own, and it does not outlive the one that asked."""

import ctypes
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from linnet.core.errors import BadInput, Failed, Stopped

PR_SET_PDEATHSIG = 1  # of Linux: the signal that a process gets when the one that started it has died
LAST_BYTES = 4096


def run_fresh(words: Sequence[str], log: Path) -> None:
    """Run `linnet WORDS...` and wait; what it prints is added to `log`.

    Ctrl-C lets it save before this process stops. Raises BadInput with its line when it refused its input, Stopped
    when it was asked to stop, and Failed for anything else, a kill for want of memory among it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "linnet", *words]
    with open(log, "ab") as file:
        # A session of its own: Ctrl-C in a terminal reaches it through us alone, once.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            preexec_fn=_die_with_parent(),
        )
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if code:
        raise _error(code, last_line(log), " ".join(words))


def last_line(log: Path) -> str:
    """Return the last line of a log without the program's name before it."""
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - LAST_BYTES))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].removeprefix("linnet: ") if lines else ""


def _error(code: int, line: str, words: str) -> Exception:
    if code == 2:
        return BadInput(line)
    if code in (130, 143):
        return Stopped(line, code)
    if code == -signal.SIGKILL:
        return Failed(f"linnet {words}: was killed, most likely for want of memory")
    return Failed(f"linnet {words}: ended with {code} ({line})")


def _die_with_parent() -> Callable[[], None] | None:
    """Return what a new process does first: ask the kernel to be killed with its parent; Linux only."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)  # found before the fork: between fork and exec nothing may be loaded

    def ask() -> None:
        library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    return ask
