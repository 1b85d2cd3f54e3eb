"""What goes into the engine and comes out needs no torch: a server's front door may be light."""

import subprocess
import sys

import pytest

from linnet.infer.config import SamplingConfig
from linnet.infer.requests import Event, Request


def test_requests_and_events_are_values():
    request = Request((1, 2), SamplingConfig())
    assert request == Request((1, 2), SamplingConfig())
    assert len({request, Request((1, 2), SamplingConfig(seed=1))}) == 2
    with pytest.raises(AttributeError):
        Event(1, 2, "a", -0.5, (), None).text = "b"  # type: ignore[misc]


def test_torch_is_not_needed():
    code = "import sys, linnet.infer.requests; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
