"""Rotary wavelengths: what is written is read back, in the fields of transformers 5 and of the versions before it."""

from pathlib import Path

import pytest

from linnet.export.fields import Fields
from linnet.export.hf_rope import read_rope, write_rope
from linnet.model.config import ModelConfig

STRETCHED = {"rope_theta": 7.0, "rope_factor": 3.0, "rope_low": 0.5, "rope_high": 9.0, "rope_context": 40}


@pytest.mark.parametrize("kind", ["none", "llama3", "yarn"])
@pytest.mark.parametrize("kept", [("rope_parameters",), ("rope_theta", "rope_scaling"), ()])
def test_what_is_written_is_read_back_from_either_place(kind, kept):
    config = ModelConfig(rope_scaling=kind, **STRETCHED)
    written = write_rope(config)
    values = {name: written[name] for name in kept or written}
    read = ModelConfig(**read_rope(Fields(values, Path("config.json")), theta=1.0))
    names = ["rope_theta", "rope_scaling"] if kind == "none" else ["rope_scaling", *STRETCHED]
    assert {name: getattr(read, name) for name in names} == {name: getattr(config, name) for name in names}


def test_transformers_works_out_the_same_frequencies():
    transformers = pytest.importorskip("transformers")
    import torch
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    from linnet.model.positions import angles_of

    for kind in ("llama3", "yarn"):
        config = ModelConfig(num_heads=2, hidden_size=64, rope_scaling=kind, **{**STRETCHED, "rope_theta": 900.0})
        theirs = transformers.LlamaConfig(hidden_size=64, num_attention_heads=2, **write_rope(config))
        expected, gain = ROPE_INIT_FUNCTIONS[kind](theirs, None)
        cos, sin = (part[0, 0, 0] for part in angles_of(config, torch.tensor([[1]])))
        torch.testing.assert_close(torch.atan2(sin, cos), expected)
        torch.testing.assert_close(torch.hypot(cos, sin), torch.full_like(cos, gain))
