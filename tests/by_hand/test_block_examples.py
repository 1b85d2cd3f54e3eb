"""Examples of blocks cover the forms that a block can have, and know how near they come to a bend."""

from random import Random

import numpy as np

from linnet.by_hand.block_examples import BLOCK_EXAMPLES, rotary_setting
from linnet.by_hand.dice import Dice
from linnet.by_hand.linear import linear


def many(name):
    return [BLOCK_EXAMPLES[name](Dice(Random(seed))) for seed in range(60)]


def test_attention_comes_in_all_its_forms():
    keys = [set(example.inputs[1]) for example in many("multi-head attention")]
    for optional in ("bq", "sinks", "gain_q"):
        assert {optional in found for found in keys} == {True, False}
    layers = [example.inputs[1]["attention"] for example in many("decoder block")]
    assert {len(layer["wk"]) < len(layer["wq"]) for layer in layers} == {True, False}


def test_blocks_come_with_all_activations_norms_and_paddings():
    blocks = many("decoder block")
    assert {example.setting["activation"] for example in blocks} == {"swiglu", "relu2", "gelu", "gelu_exact"}
    assert {tuple(example.inputs[1]["mlp_norm"]) for example in blocks} == {("gain", "shift"), ("gain",), ()}
    mixtures = many("mixture, top 2")
    assert {example.setting["real"] is None for example in mixtures} == {True, False}
    assert {example.setting["capacity"] for example in mixtures} == {None, 0.5, 1.25}


def test_the_bend_of_squared_relu_is_the_smallest_number_before_it():
    for example in many("feed-forward"):
        x, params = example.inputs
        biases = (params["bu"],) if "bu" in params else ()
        nearest = np.abs(linear(x, params["wu"], *biases)[0]).min()
        assert example.bend == (nearest if example.setting["activation"] == "relu2" else np.inf)


def test_positions_begin_at_different_places():
    starts = {int(rotary_setting(Dice(Random(seed)), 1, 3, 4)["positions"][0, 0]) for seed in range(40)}
    assert starts == {0, 1, 2, 3}
