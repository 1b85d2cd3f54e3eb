"""Progress and log lines go to stderr, plain lines where there is no terminal; stdout stays empty."""

import os
import pty
import subprocess
import sys

import pytest

from linnet.core import console

PROGRAM = """
import time
from linnet.core.console import Progress, logger, start_logging
start_logging()
logger.info("reading %d documents", 3)
with Progress(4, "pretrain", every_seconds=0.0) as progress:
    for step in range(1, 5):
        progress.update(step, loss=1.5, tokens_per_second=12345.0, matmul_share=0.51, memory_bytes=2**30)
        time.sleep(0.02)
"""


def test_without_a_terminal_plain_lines_on_stderr_only():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0] == "linnet: reading 3 documents"
    assert lines[2].startswith("linnet: pretrain 50% 2/4  loss 1.5000  12.3k tok/s  51% of matmul  1.0 GiB  0:0")
    assert lines[-1].startswith("linnet: pretrain 100% 4/4")
    assert len(lines) == 5
    assert "\x1b" not in done.stderr


def on_a_terminal(**environment: str) -> str:
    parent, child = pty.openpty()
    variables = {**os.environ, "TERM": "xterm", "COLUMNS": "160", **environment}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=child, stdout=subprocess.DEVNULL, env=variables)
    os.close(child)
    said = b""
    while True:
        try:
            piece = os.read(parent, 4096)
        except OSError:
            break
        if not piece:
            break
        said += piece
    process.wait()
    os.close(parent)
    return said.decode()


def test_on_a_terminal_one_live_line_with_all_numbers():
    said = on_a_terminal()
    for words in ("pretrain", "100%", "4/4", "loss 1.5000", "12.3k tok/s", "51% of matmul", "1.0 GiB", "reading"):
        assert words in said
    assert "\x1b[3" in said  # colours


def test_no_color_is_obeyed():
    said = on_a_terminal(NO_COLOR="1")
    assert "4/4" in said
    assert "\x1b[3" not in said


def test_time_left_is_the_pace_so_far():
    progress = console.Progress(10, "x")
    progress._started, progress._first_step = 100.0, 2
    assert progress.seconds_left(2, 105.0) is None
    assert progress.seconds_left(6, 108.0) == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0"), (999, "999"), (12345, "12.3k"), (1.5e6, "1.5M"), (2e9, "2.0G")]
)
def test_counts_in_words(number, words):
    assert console.count_words(number) == words


@pytest.mark.parametrize(("seconds", "words"), [(None, "?"), (5, "0:05"), (754, "12:34"), (3723, "1:02:03")])
def test_times_in_words(seconds, words):
    assert console.clock_words(seconds) == words


def test_unknown_numbers_are_left_out():
    assert console.numbers_line(None, None, None, None) == ""
    assert console.numbers_line(1.0, None, None, None, "warm-up") == "loss 1.0000  warm-up"
