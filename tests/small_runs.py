"""Small trainings through the command line, for tests of what goes wrong."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from linnet import cli
from linnet.train import loop

WORDS = "the bird sings in a tree and waits for rain . "
SMALL = {
    "--tokenizer": "characters",
    "--model.context-length": "32",
    "--model.num-layers": "1",
    "--model.hidden-size": "64",
    "--model.num-heads": "2",
    "--batch-size": "4",
    "--steps": "12",
    "--log-every": "1",
    "--eval-every": "6",
    "--eval-tokens": "200",
    "--save-every": "4",
    "--track": "none",
    "--threads": "1",
    "--device": "cpu",
}


def command(corpus: Path, out: Path, *more: str) -> list[str]:
    """Return the words of a small training; what `more` says wins over SMALL."""
    kept = [word for option, value in SMALL.items() if option not in more for word in (option, value)]
    place = [] if "--out" in more else ["--out", str(out)]
    return ["pretrain", "--corpus", str(corpus), *place, *kept, *more]


def refused(capsys: pytest.CaptureFixture, words: list[str], lines: int | None = 1) -> str:
    """Run a command that must end with 2 and one line (after `lines` - 1 lines of log; None: any); return the line."""
    capsys.readouterr()
    code = cli.main(words)
    done = capsys.readouterr()
    said = done.err.splitlines()
    assert code == 2, done.err
    assert done.out == ""
    assert said, "nothing was said"
    assert all(line.startswith("linnet: ") for line in said), done.err
    assert lines is None or len(said) == lines, done.err
    return said[-1]


def after_step(step: int, act, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a training do `act()` once it has finished a step."""
    real = loop.steps

    def watched(*arguments, **named):
        for done in real(*arguments, **named):
            if done.number == step:
                act()
            yield done

    monkeypatch.setattr(loop, "steps", watched)


def interrupt() -> None:
    """Stop as a Ctrl-C at a moment when nobody listens does."""
    raise KeyboardInterrupt


@contextmanager
def small_disk(folder: Path, size: str = "3m", mode: str = "rw") -> Iterator[Path]:
    """Mount a disk of that size at the folder; skips the test, saying why, where that is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("SMALL DISK NOT TESTED: mounting a tmpfs needs root")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},{mode}", "none", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"SMALL DISK NOT TESTED: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    """Write a file that takes all of a disk but `leave` bytes; remove it to free the space."""
    room = os.statvfs(disk)
    filler = disk / "filler"
    with open(filler, "wb") as file:
        file.write(b"\0" * max(0, room.f_bavail * room.f_frsize - leave))
    return filler
