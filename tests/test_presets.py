"""Presets: every choice they make is a valid one, and what they promise of size is so."""

import pytest

from linnet.model.config import ModelConfig
from linnet.model.flops import matmul_parameters
from linnet.presets import PRESETS
from linnet.recipes.pretrain import PretrainConfig


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_valid_config(name):
    PretrainConfig.build(PRESETS[name]()["pretrain"], where=name)


def test_every_preset_says_what_it_is_for():
    assert all(len(function.__doc__) > 40 for function in PRESETS.values())


def model_of(name):
    pretrain = PRESETS[name]()["pretrain"]
    return ModelConfig.build(pretrain["model"], where=name).but(vocab_size=pretrain["vocab_size"])


def test_small_has_tens_of_millions_of_weights():
    assert 2e7 < matmul_parameters(model_of("small")) < 9e7


def test_max_12gb_leaves_room_for_activations_on_its_card():
    config = model_of("max_12gb")
    blocks = matmul_parameters(config) - config.vocab_size * config.hidden_size
    tables = 2 * config.vocab_size * config.hidden_size
    assert 3e8 < blocks < 3.5e8
    # fp32 weights and gradients, momentum under Muon, two moments under AdamW
    assert 12 * blocks + 16 * tables < 6 * 2**30
