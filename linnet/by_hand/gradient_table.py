"""The gradient check of everything in this room, a row each: every operation, the bigram table and a whole GPT."""

from collections.abc import Callable, Iterator
from functools import partial
from random import Random

import numpy as np

from linnet.by_hand.dice import Dice, Example
from linnet.by_hand.examples import EXAMPLES, draw_example
from linnet.by_hand.gpt import Architecture, forward, shapes
from linnet.by_hand.gradient_check import gradient_check
from linnet.by_hand.ngram import bigram_counts, bigram_model

LIMIT = 1e-6
"""A relative error above this is no rounding: the gradient is wrong."""


def gradient_table(seed: int = 0, examples: int = 3) -> Iterator[tuple[str, float]]:
    """Yield the name of each operation and the largest error of its gradients over that many random examples."""
    random, rng = Random(seed), np.random.default_rng(seed)
    draws: dict[str, Callable[[], Example]] = {name: partial(draw_example, name, random) for name in EXAMPLES}
    draws |= {"bigram table": partial(_bigram, Dice(random)), "the whole GPT": partial(_gpt, Dice(random))}
    for name, draw in draws.items():
        drawn = [draw() for _ in range(examples)]
        yield name, max(gradient_check(example.operation, example.inputs, rng) for example in drawn)


def _bigram(dice: Dice) -> Example:
    vocabulary = dice.size(2, 8)
    counts = bigram_counts(dice.ids(vocabulary, 50), vocabulary)
    return Example(lambda table: bigram_model(table, counts), (dice.normal(vocabulary, vocabulary),))


def _gpt(dice: Dice) -> Example:
    # SwiGLU, since ReLU has a bend that a nudge may step over, and QK-norm needs heads wide enough not to be all norm.
    config = Architecture(
        7, num_layers=2, hidden_size=16, num_heads=2, num_kv_heads=dice.any_of(1, 2), mlp_size=6, norm_gain=True,
        activation="swiglu", tie_embeddings=dice.any_of(True, False),
    )  # fmt: skip
    weights = {
        name: dice.normal(*shape) / shape[-1] ** 0.5 + (len(shape) == 1) for name, shape in shapes(config).items()
    }
    ids = dice.ids(7, 2, dice.size(2, 5))
    return Example(lambda weights: forward(ids, weights, config), (weights,))
