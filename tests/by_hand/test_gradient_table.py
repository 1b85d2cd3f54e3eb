"""The table: a row for everything, all of them right; and a wrong gradient in any one place makes its row wrong."""

import pytest

from linnet.by_hand import gradient_table as table
from linnet.by_hand.dice import Example
from linnet.by_hand.examples import EXAMPLES


@pytest.mark.slow
def test_every_row_is_right():
    found = dict(table.gradient_table(seed=1, examples=1))
    assert list(found) == [*EXAMPLES, "bigram table", "the whole GPT"]
    assert 0 < max(found.values()) < table.LIMIT


@pytest.mark.parametrize(
    "weight",
    [
        "norm.weight",
        *(pytest.param(w, marks=pytest.mark.slow) for w in ("embedding.weight", "blocks.1.mlp.gate.weight")),
    ],
)
def test_a_gradient_that_is_a_little_wrong_shows(weight, monkeypatch):
    right = table._gpt

    def wrong(dice):
        example = right(dice)

        def operation(weights):
            logits, back = example.operation(weights)

            def bent_back(dlogits):
                gradients = back(dlogits)
                return {**gradients, weight: gradients[weight] * 1.0001}

            return logits, bent_back

        return Example(operation, example.inputs)

    monkeypatch.setattr(table, "EXAMPLES", {})
    monkeypatch.setattr(table, "_gpt", wrong)
    found = dict(table.gradient_table(examples=1))
    assert found["the whole GPT"] > table.LIMIT > found["bigram table"]
