"""Sampling choices: ranges, one clear line for a bad one, no torch."""

import subprocess
import sys

import pytest

from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("top_k", -1),
        ("top_p", 0),
        ("top_p", 1.1),
        ("min_p", 1.5),
        ("repetition_penalty", 0),
        ("max_tokens", 0),
        ("seed", -1),
        ("stop", ("", "x")),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(BadInput, match=name) as problem:
        SamplingConfig.build({name: value}, "here")
    assert "\n" not in str(problem.value)


def test_defaults_change_nothing():
    config = SamplingConfig()
    assert (config.temperature, config.top_k, config.top_p, config.min_p, config.repetition_penalty) == (1, 0, 1, 0, 1)


def test_help_needs_no_torch():
    code = "import sys, linnet.infer.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
