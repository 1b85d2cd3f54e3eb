"""The choices of these recipes are read without torch, and their networks are of the right kind."""

import subprocess
import sys

import pytest

from linnet.train.row_config import ClassifyConfig, FinetuneConfig, MlmConfig, Seq2SeqConfig, SummarizeConfig

KINDS = {
    Seq2SeqConfig: "encoder_decoder",
    SummarizeConfig: "encoder_decoder",
    MlmConfig: "encoder",
    ClassifyConfig: "encoder",
}


@pytest.mark.parametrize("config", KINDS)
def test_networks_of_the_right_kind(config):
    assert config().model.kind == KINDS[config]
    assert config().parent is None


def test_going_on_needs_a_parent():
    with pytest.raises(ValueError, match="parent"):
        FinetuneConfig()


def test_no_torch():
    code = "import sys, linnet.train.row_config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
