"""The choices of a server, read without torch and without its own libraries."""

import subprocess
import sys

import pytest

from linnet.core.errors import BadInput
from linnet.serve.config import ServeConfig


def test_only_this_machine_is_served_by_default():
    assert ServeConfig().host == "127.0.0.1"
    assert ServeConfig.build({"allow_host": "a.example, b.example"}, "test").allow_host == ("a.example", "b.example")


@pytest.mark.parametrize("wrong", [{"port": 70_000}, {"slots": 0}, {"queue": -1}, {"max_body_bytes": 1}])
def test_ranges(wrong):
    with pytest.raises(BadInput):
        ServeConfig.build(wrong, "test")


def test_choices_are_read_without_torch_and_fastapi():
    code = "import sys, linnet.recipes.serve; print([m for m in ('torch', 'fastapi', 'uvicorn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
