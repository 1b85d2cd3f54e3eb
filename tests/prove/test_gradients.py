"""Gradients that do not arrive, and those that arrive where nothing is to move."""

from dataclasses import replace

import torch
from torch import nn

from linnet.model.decoder import Decoder
from linnet.prove.gradients import every_trainable_parameter_gets_gradient, frozen_parameters_get_none
from linnet.prove.ours import decoder_subject
from tests.prove.subjects import decoder, judge, subject


def test_every_parameter_is_reached_in_a_new_network_too():
    assert judge(every_trainable_parameter_gets_gradient, subject("gpt2")).status == "held"
    new = decoder_subject(Decoder(decoder("ours").config), "new")
    found = judge(every_trainable_parameter_gets_gradient, new)
    assert found.status == "held"
    assert "shaken" in found.evidence


def test_a_branch_that_is_detached_or_never_used_is_seen():
    one = subject("llama_gqa")
    mlp = one.model.blocks[1].mlp
    mlp.register_forward_hook(lambda module, inputs, out: out.detach())
    found = judge(every_trainable_parameter_gets_gradient, one)
    assert found.status == "broken"
    assert "4 of 30" in found.evidence
    assert "blocks.1.mlp" in found.evidence
    one = subject("llama_gqa")
    one.model.spare = nn.Linear(2, 2)
    assert judge(every_trainable_parameter_gets_gradient, one).status == "broken"


def test_a_gradient_that_is_no_number_is_seen():
    one = subject("llama_gqa")
    bad = replace(one, loss=lambda rows: one.model(rows.ids).mean() + (one.model.norm.weight * 0).sqrt().sum())
    assert "no number: norm.weight" in judge(every_trainable_parameter_gets_gradient, bad).evidence


def test_frozen_parameters():
    one = subject("llama_gqa")
    assert judge(frozen_parameters_get_none, one).status == "not applicable"
    for parameter in one.model.parameters():
        parameter.requires_grad_(False)
    assert judge(every_trainable_parameter_gets_gradient, one).status == "not applicable"
    assert judge(frozen_parameters_get_none, one).status == "held"

    def thawing(rows):
        one.model.head.weight.requires_grad_(True)
        return one.model(rows.ids).mean()

    found = judge(frozen_parameters_get_none, replace(one, loss=thawing))
    assert found.status == "broken"
    assert "head.weight" in found.evidence
    assert torch.is_grad_enabled()
