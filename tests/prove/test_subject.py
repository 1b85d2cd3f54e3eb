"""What a subject needs, and what it makes of what is left out."""

import pytest
import torch
from torch import nn

from linnet.prove.invariants import ALL
from linnet.prove.proof import prove
from linnet.prove.subject import Subject


def test_only_the_network_is_needed_and_all_else_does_not_apply():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(11, 8), nn.Linear(8, 11))  # a bigram model: it sees no earlier token
    verdicts = prove(Subject("bigrams", model, 11, model), ALL)
    found = {status: [v.invariant for v in verdicts if v.status == status] for status in ("held", "broken")}
    assert found["broken"] == ["every earlier token matters"]
    assert {"causality", "batch size changes nothing", "evaluation is deterministic"} <= set(found["held"])
    assert len(verdicts) - len(found["held"]) - 1 > 40


def test_too_small_to_prove_is_said():
    with pytest.raises(ValueError, match="vocabulary of 1 and rows of 64"):
        Subject("one", nn.Linear(1, 1), 1, lambda ids: ids)


def test_the_device_is_that_of_the_parameters():
    assert Subject("x", nn.Linear(1, 1), 9, lambda ids: ids).device == torch.device("cpu")
    assert Subject("x", nn.Identity(), 9, lambda ids: ids).device == torch.device("cpu")
