"""The walk: it ends where the network itself ends, and each stop follows from the numbers that are shown before it."""

import math

import numpy as np
import pytest

from linnet.by_hand.counts import encode, vocabulary
from linnet.by_hand.gpt import forward, loss_and_gradients
from linnet.by_hand.walk import walk


@pytest.mark.parametrize("text", ["birds", "ab", "a linnet sings"])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_ends_where_the_network_ends(text, seed):
    found = walk(text, seed)
    ids = encode(text, vocabulary(text))
    logits, _ = forward(ids[None, :-1], found.weights, found.config)
    stops = {stop.name: stop for stop in found.stops}
    np.testing.assert_allclose(stops["logits"].rows[""], logits[0, -1], atol=1e-12)
    targets = np.full((1, len(ids) - 1), -100)
    targets[0, -1] = ids[-1]
    loss, _ = loss_and_gradients(ids[None, :-1], targets, found.weights, found.config)
    assert found.loss == pytest.approx(loss, rel=1e-12) == stops["loss"].rows[""][0]


def test_each_stop_follows_from_what_is_shown_before():
    found = walk("birds")
    rows = [(stop.name, stop.rows) for stop in found.stops]
    table = dict(rows)
    assert table["ids"] == {"0 'b'": [0], "1 'i'": [2], "2 'r'": [3], "3 'd'": [1]}
    assert table["embedding"]["3 'd'"] == found.weights["embedding.weight"][1].tolist()
    # Plain Python, head 2 only: its query and keys are the last two numbers of four.
    query = table["rotary: query"]["3 'd'"][2:]
    keys = [key[2:] for key in table["rotary: keys"].values()]
    scores = [(query[0] * key[0] + query[1] * key[1]) / math.sqrt(2) for key in keys]
    assert table["scores"]["head 2"] == pytest.approx(scores)
    powers = [math.exp(score) for score in scores]
    shares = [power / sum(powers) for power in powers]
    names = [name for name, _ in rows]
    assert found.stops[names.index("softmax")].rows["head 2"] == pytest.approx(shares)
    mixed = [
        sum(share * value[2 + i] for share, value in zip(shares, table["values"].values(), strict=True)) for i in (0, 1)
    ]
    assert table["mix"]["head 2"] == pytest.approx(mixed)
    x, y = table["query"]["3 'd'"][2:]
    assert query == pytest.approx([x * math.cos(3) - y * math.sin(3), y * math.cos(3) + x * math.sin(3)])
    assert table["MLP: ReLU^2"][""] == pytest.approx([max(u, 0) ** 2 for u in table["MLP: up"][""]])
    assert sum(table["gradient"][""]) == pytest.approx(0)


def test_its_lines_hold_every_number_that_was_computed():
    found = walk("ab")
    text = "\n".join(found.lines())
    for stop in found.stops:
        assert f". {stop.name}: {stop.formula}\n" in text
        for row in stop.rows.values():
            assert all((f"{x:8d}" if isinstance(x, int) else f"{x:8.3f}") in text for x in row)
    assert "\nmlp.down.weight  [4 x 6]\n" in text
    assert "-0.0\n" not in text


def test_weights_have_one_decimal():
    for weight in walk("birds").weights.values():
        np.testing.assert_array_equal(weight, weight.round(1))


def test_a_text_without_anything_to_guess_is_refused():
    with pytest.raises(ValueError, match="'b' is too short"):
        walk("b")
