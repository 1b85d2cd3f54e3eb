"""A command in a fresh process: its peak is its own, its errors come back as errors, and it dies with its parent."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from linnet.core.errors import BadInput, Failed, Stopped
from linnet.core.fresh import _error, last_line, run_fresh

# A process that holds 400 MiB asks one that holds nothing for its peak, as we count it and as the system does.
LARGE_ASKS_SMALL = """
import subprocess, sys
held = bytearray(400 * 2**20)
held[:: 4096] = b"x" * len(held[:: 4096])
small = "import resource as r; from linnet.core.machine import peak_memory_bytes as ours; "
small += "print(ours(), r.getrusage(r.RUSAGE_SELF).ru_maxrss * 1024)"
print(subprocess.run([sys.executable, "-c", small], capture_output=True, text=True, check=True).stdout)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system's count is the process's own")
def test_the_peak_of_a_fresh_process_is_not_that_of_the_one_that_started_it():
    done = subprocess.run([sys.executable, "-c", LARGE_ASKS_SMALL], capture_output=True, text=True, check=True)
    ours, systems = map(int, done.stdout.split())
    assert 2**20 < ours < 200 * 2**20
    assert systems >= ours  # on kernels that pass the parent's peak on: above 400 MiB


@pytest.mark.slow
def test_what_it_prints_is_in_the_log_and_its_refusal_comes_back(tmp_path):
    log = tmp_path / "logs" / "world.log"
    run_fresh(["world", "--kind", "facts", "--count", "2"], log)
    before = log.read_text()
    assert before.strip()
    with pytest.raises(BadInput, match="--nonsense"):
        run_fresh(["world", "--nonsense", "1"], log)
    assert log.read_text().startswith(before)


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [(2, BadInput, "a line"), (130, Stopped, "a line"), (143, Stopped, "a line"), (-9, Failed, "want of memory"),
     (1, Failed, "ended with 1 [(]a line[)]")],
)  # fmt: skip
def test_every_end_has_its_error(code, kind, said):
    with pytest.raises(kind, match=said):
        raise _error(code, "a line", "sft --out x")


def test_the_last_line_of_a_log(tmp_path):
    log = tmp_path / "log"
    log.write_text("linnet: begins\nlinnet: a: is empty\n")
    assert last_line(log) == "a: is empty"
    log.write_text("")
    assert last_line(log) == ""


SLEEPER = """
import subprocess, sys
from linnet.core.fresh import _die_with_parent
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], preexec_fn=_die_with_parent())
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a promise of Linux")
def test_it_dies_with_the_process_that_asked():
    asker = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, text=True)
    assert asker.stdout is not None
    child = json.loads(asker.stdout.readline())
    asker.send_signal(signal.SIGKILL)
    asker.wait()
    end = time.monotonic() + 5
    while alive(child) and time.monotonic() < end:
        time.sleep(0.02)
    assert not alive(child)


def alive(pid: int) -> bool:
    """Say whether a process runs; one that has died and that nobody has waited for does not."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
