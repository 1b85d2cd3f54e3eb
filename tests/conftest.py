"""What all tests share: one torch thread, and the folder of real data where there is one."""

import os
import signal
import sys
from pathlib import Path

import pytest

DATA_VARIABLE = "LINNET_SHARED_DATA"

# Started in the background by a script, a process ignores Ctrl-C and its children inherit that; tests send real ones.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def one_thread():
    """Keep torch to one thread, so that tests run side by side and give the same numbers."""
    # Importing torch costs more than a second: only tests that use it pay.
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data sets; skips the test, saying why, where it is not."""
    folder = Path(os.environ.get(DATA_VARIABLE) or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"REAL DATA NOT FOUND: no folder {folder}; set {DATA_VARIABLE} to run this test")
    return folder
