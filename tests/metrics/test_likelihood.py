"""Bits per byte and perplexity against known values."""

import math

import pytest

from linnet.metrics import bits_per_byte, perplexity


def test_uniform_bytes_cost_eight_bits():
    assert bits_per_byte(1000 * math.log(256), 1000) == pytest.approx(8)
    assert bits_per_byte(10 * math.log(2), 20) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="at least one byte"):
        bits_per_byte(1.0, 0)


def test_perplexity_of_a_uniform_guess_is_the_vocabulary():
    assert perplexity(7 * math.log(50_257), 7) == pytest.approx(50_257)
    assert perplexity(1e6, 1) == math.inf
    with pytest.raises(ValueError, match="at least one token"):
        perplexity(1.0, 0)
