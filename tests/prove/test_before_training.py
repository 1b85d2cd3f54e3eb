"""Before a long training: quick, without a trace, and not begun when the network is broken."""

import pytest
import torch

from linnet.core.errors import Failed
from linnet.model.decoder import Decoder
from linnet.prove.before_training import LONG, prove_before_training
from tests.prove.subjects import decoder


def test_nothing_is_left_behind(caplog):
    model = Decoder(decoder("moe_top2", dropout=0.1).config).train()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    dice = torch.get_rng_state()
    with caplog.at_level("INFO", logger="linnet"):
        prove_before_training(model, LONG)
    assert "invariants hold" in caplog.text
    assert torch.equal(dice, torch.get_rng_state())
    assert model.training
    assert all(torch.equal(parameter, before[name]) for name, parameter in model.named_parameters())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_broken_network_is_not_trained_long():
    model = Decoder(decoder("ours").config)
    model.blocks[0].mlp.down.weight.requires_grad_(True)
    model.blocks[0].mlp.register_forward_hook(lambda module, inputs, out: out.flip(1).detach())
    prove_before_training(model, LONG - 1)
    with pytest.raises(Failed, match=r"causality, .*every trainable parameter gets gradient"):
        prove_before_training(model, LONG)
