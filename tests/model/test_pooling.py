"""A row's numbers are those of its first token, its last real one, or the mean of the real ones."""

import pytest
import torch

from linnet.model.pooling import pooled

LOGITS = torch.arange(24.0).view(2, 4, 3)
LENGTHS = torch.tensor([4, 2])


def test_each_way():
    assert pooled(LOGITS, LENGTHS, "first").tolist() == [[0, 1, 2], [12, 13, 14]]
    assert pooled(LOGITS, LENGTHS, "last").tolist() == [[9, 10, 11], [15, 16, 17]]
    assert pooled(LOGITS, LENGTHS, "mean").tolist() == [[4.5, 5.5, 6.5], [13.5, 14.5, 15.5]]


@pytest.mark.parametrize("how", ["first", "last", "mean"])
def test_padding_has_no_say_even_when_it_is_no_number(how):
    spoilt = LOGITS.clone()
    spoilt[1, 2:] = float("nan")
    assert torch.equal(pooled(spoilt, LENGTHS, how), pooled(LOGITS, LENGTHS, how))


def test_a_network_of_tokens_is_refused():
    with pytest.raises(ValueError, match="no pooling"):
        pooled(LOGITS, LENGTHS, "none")
