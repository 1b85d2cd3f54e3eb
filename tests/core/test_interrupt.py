"""The first signal asks, the second kills; the handlers of before come back."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from linnet.core.errors import Stopped
from linnet.core.interrupt import Interrupt

TWICE = """
import os, signal
from linnet.core.interrupt import Interrupt
with Interrupt() as interrupt:
    os.kill(os.getpid(), signal.SIGINT)
    assert interrupt.asked
    print("once", flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    print("never", flush=True)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_a_wish(number, code):
    before = signal.getsignal(number)
    with Interrupt() as interrupt:
        assert not interrupt.asked
        interrupt.leave("nobody asked")
        os.kill(os.getpid(), number)
        assert interrupt.asked
        with pytest.raises(Stopped, match="saved at step 3") as stopped:
            interrupt.leave("saved at step 3")
    assert stopped.value.exit_code == code
    assert signal.getsignal(number) is before


def test_the_second_one_kills_at_once():
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True)
    assert done.stdout == "once\n"
    assert done.returncode == -signal.SIGINT


def test_in_another_thread_it_never_asks():
    found = []

    def work() -> None:
        with Interrupt() as interrupt:
            found.append(interrupt.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
