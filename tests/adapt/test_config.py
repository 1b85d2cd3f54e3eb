"""The choices of cheap tuning: no torch, one line for what cannot be."""

import subprocess
import sys

import pytest

from linnet.adapt.config import AdaptConfig
from linnet.core.errors import BadInput
from linnet.train.config import DistillConfig, SftConfig


def test_no_torch_is_imported():
    program = "import sys, linnet.adapt.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_every_tuning_has_it_and_by_default_all_weights_learn():
    assert SftConfig(parent="runs/a").adapt == DistillConfig(teacher="runs/a").adapt == AdaptConfig()
    assert AdaptConfig().method == "full"


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"rank": 0}, "rank: Input should be greater than or equal to 1"),
        ({"method": "lore"}, "'full', 'lora'"),
        ({"ranks": 4}, 'Did you mean "rank"'),
        ({"dropout": 1}, "less than 1"),
        ({"virtual_tokens": 0}, "virtual_tokens"),
    ],
)
def test_what_cannot_be_is_one_line(choice, words):
    with pytest.raises(BadInput, match=words) as caught:
        AdaptConfig.build(choice, where="config")
    assert "\n" not in str(caught.value)
