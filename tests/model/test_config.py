"""The config refuses what does not fit, in words, and answers what each layer is."""

import subprocess
import sys

import pytest

from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"hidden_size": 30, "num_heads": 4}, "hidden_size 30 is not a multiple of num_heads 4"),
        ({"num_heads": 4, "num_kv_heads": 3}, "num_heads 4 is not a multiple of num_kv_heads 3"),
        ({"hidden_size": 6, "num_heads": 2}, "even head size, not 3"),
        ({"hidden_size": 5, "num_heads": 1, "positions": "sinusoidal"}, "even hidden_size, not 5"),
        ({"num_experts": 1, "experts_per_token": 2}, "experts_per_token 2 exceeds num_experts 1"),
        ({"experts_per_token": 0}, "experts_per_token"),
        ({"output_size": 1, "tie_embeddings": True}, "head of 1 outputs cannot be the embedding"),
        ({"output_size": 0}, "output_size"),
        ({"window": 0}, "window"),
        ({"dropout": 1.0}, "dropout"),
        ({"activation": "tanh"}, "activation"),
        ({"hiden_size": 8}, "hidden_size"),
    ],
)
def test_what_does_not_fit_is_refused(choices, words):
    with pytest.raises(BadInput, match=words):
        ModelConfig.build(choices, where="config")


def test_sizes_after_defaults():
    config = ModelConfig(hidden_size=48, num_heads=6)
    assert (config.kv_heads, config.head_width, config.mlp_width) == (6, 8, 192)
    config = ModelConfig(hidden_size=48, num_heads=6, num_kv_heads=2, head_size=10, mlp_size=7)
    assert (config.kv_heads, config.head_width, config.mlp_width) == (2, 10, 7)
    assert config.outputs == config.vocab_size
    assert config.but(output_size=3).outputs == 3


def test_what_each_layer_is():
    config = ModelConfig(num_layers=5, window=8, global_every=2, num_experts=4, moe_every=3)
    assert [config.layer_window(layer) for layer in range(5)] == [8, None, 8, None, 8]
    assert [config.layer_is_mixture(layer) for layer in range(5)] == [False, False, True, False, False]
    assert [config.layer_has_value_embedding(layer) for layer in range(5)] == [True, False, True, False, True]
    for every, expected in ((0, [False] * 4), (1, [True] * 4), (2, [False, True] * 2), (3, [True, False, False, True])):
        config = ModelConfig(num_layers=4, value_embedding_every=every)
        assert [config.layer_has_value_embedding(layer) for layer in range(4)] == expected


def test_it_survives_json_and_is_read_without_torch():
    config = ModelConfig(window=3, logit_soft_cap=None)
    assert ModelConfig.model_validate_json(config.model_dump_json()) == config
    code = "import sys, linnet.model.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
