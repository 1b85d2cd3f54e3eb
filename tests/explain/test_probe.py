"""The near side of a probe: what its process says is taken over, and a process that says nothing is no success."""

from pathlib import Path

import pytest

from linnet.core.errors import BadInput
from linnet.explain.probe import take_probe
from linnet.train.config import PretrainConfig, SftConfig


def test_a_process_that_ends_without_an_answer_is_refused():
    with pytest.raises(BadInput, match="probe of pretrain ended with 0"):
        take_probe("this", "pretrain", PretrainConfig())


@pytest.mark.slow
def test_what_the_recipe_would_refuse_is_refused(tmp_path):
    with pytest.raises(BadInput, match="nowhere"):
        take_probe("linnet.recipes.plan", "sft", SftConfig(parent=Path(tmp_path / "nowhere"), device="cpu"))
