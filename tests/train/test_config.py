"""The choices of a training are importable without torch and refuse what cannot be."""

import subprocess
import sys

import pytest

from linnet.core.errors import BadInput
from linnet.train.config import OptimizerConfig, PretrainConfig, ScheduleConfig, TuningConfig


def test_no_torch_is_imported():
    program = "import sys, linnet.train.config, linnet.model.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_values_outside_their_range_are_refused_by_name():
    with pytest.raises(BadInput, match="matrix_lr"):
        OptimizerConfig().but(matrix_lr=-1)
    with pytest.raises(BadInput, match="cooldown"):
        ScheduleConfig().but(cooldown=1.5)
    with pytest.raises(BadInput, match='Did you mean "warmup"'):
        ScheduleConfig.build({"warmups": 3}, where="x.json")


def test_tuning_asks_for_a_parent_and_is_gentler_than_pretraining():
    with pytest.raises(BadInput, match="parent"):
        TuningConfig.build({"out": "runs/x"}, where="config")
    tuning, pretraining = TuningConfig(parent="runs/a", out="runs/b").optimizer, PretrainConfig().optimizer
    assert tuning.kind == pretraining.kind
    for name in ("matrix_lr", "lr", "embedding_lr", "head_lr"):
        assert getattr(tuning, name) < getattr(pretraining, name)
