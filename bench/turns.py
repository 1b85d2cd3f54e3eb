"""Turn-taking between a measurement and programs that train: each waits in a process of its own until it is called.

Own processes, because how a program asks the system for memory, and its threads, must not change its rival's. The
words between them: a line on standard input asks for one step, a line of JSON on standard output says how it went.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self


class Turns:
    """The side that trains: `wait` for the call, do one step, say `done`."""

    def __init__(self) -> None:
        # What the program prints must not mix with the replies.
        self._replies = os.fdopen(os.dup(sys.stdout.fileno()), "w")
        sys.stdout = sys.stderr
        self._parts: dict[str, Any] = {}
        self._start = 0.0

    def wait(self) -> None:
        """Block until a step is asked for; the end of the input ends the process."""
        if not sys.stdin.readline():
            raise SystemExit
        self._parts = {}
        self._start = time.perf_counter()

    def done(self, **more: float) -> None:
        """Reply with the seconds since the call, those of its parts, and more numbers."""
        seconds = time.perf_counter() - self._start
        print(json.dumps({"seconds": seconds, **self._parts, **more}), file=self._replies, flush=True)

    def note(self, name: str, found: Any) -> None:
        """Add something to the reply."""
        self._parts[name] = found

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time inside as a part of the step."""
        start = time.perf_counter()
        yield
        self._parts[name] = self._parts.get(name, 0.0) + time.perf_counter() - start


class Player:
    """The side that measures: a started program, a step at a call."""

    def __init__(self, name: str, module: str, job: dict[str, Any]):
        """Start `python -m MODULE JOB`; what it prints is kept to show when it fails."""
        self.name, self._log = name, tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed on exit
        words = [sys.executable, "-m", module, json.dumps(job)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=self._log, text=True)

    def step(self) -> dict[str, Any]:
        """Return the seconds of one step and of its parts; exits with the program's last words when it failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("step\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise SystemExit(self._last_words()) from None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(self._last_words())
        return json.loads(line)

    def _last_words(self) -> str:
        self._process.wait()
        self._log.seek(0)
        return f"{self.name} failed ({self._process.returncode}):\n{self._log.read()[-2000:]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
        self._log.close()
