"""Mixtures of experts: routers without gradient, dead experts, padding that is routed or balanced."""

from dataclasses import replace

import pytest
import torch

from linnet.model.moe import MixtureOfExperts
from linnet.prove.experts import balance_ignores_padding, no_dead_expert, padding_is_not_routed, router_gets_gradient
from linnet.prove.parts import Rows
from tests.prove.subjects import judge, subject

EVERY = (router_gets_gradient, no_dead_expert, padding_is_not_routed, balance_ignores_padding)


@pytest.mark.parametrize("name", ["moe_top1", "moe_top2"])
def test_they_hold(name):
    one = subject(name)
    assert [judge(invariant, one).status for invariant in EVERY] == ["held"] * 4
    assert [judge(invariant, subject()).status for invariant in EVERY] == ["not applicable"] * 4


def test_a_router_whose_choice_is_normalised_away_is_seen(monkeypatch):
    real = MixtureOfExperts._combine

    def normalised(self, flat, weights, taken):
        return real(self, flat, weights / weights.sum(-1, keepdim=True), taken)

    monkeypatch.setattr(MixtureOfExperts, "_combine", normalised)
    found = judge(router_gets_gradient, subject("moe_top1"))
    assert found.status == "broken"
    assert "mlp.router.weight" in found.evidence
    assert judge(router_gets_gradient, subject("moe_top2")).status == "held"


@torch.no_grad()
def test_an_expert_that_nobody_asks_is_seen():
    one = subject("moe_top2")
    mixture = one.model.mixtures()[0]
    mixture.router.weight[2] = 0
    mixture.router.weight[[0, 1, 3]] = mixture.router.weight[[0, 1, 3]].abs()
    mixture.register_forward_pre_hook(lambda module, inputs: (inputs[0].abs(), *inputs[1:]))
    found = judge(no_dead_expert, one)
    assert found.status == "broken"
    assert "expert 2 of mixture 0" in found.evidence


def test_the_examples_are_what_experts_are_asked_for():
    one = subject("moe_top2")
    rows = Rows(torch.full((1, 4), 7), torch.ones(1, 4, dtype=torch.bool))
    alone = replace(one, experts=replace(one.experts, load=lambda ids: torch.tensor([[4, 0]])), examples=[rows])
    found = judge(no_dead_expert, alone)
    assert found.status == "broken"
    assert "none of 4 places" in found.evidence


def test_padding_that_is_routed_or_balanced_is_seen():
    one = subject("moe_top2")
    sound = one.experts
    deaf = replace(
        sound,
        padded_load=lambda ids, lengths: sound.load(ids),
        balance=lambda ids, lengths: sound.balance(ids, torch.full_like(lengths, ids.shape[1])),
    )
    one = replace(one, experts=deaf)
    assert judge(padding_is_not_routed, one).status == "broken"
    assert judge(balance_ignores_padding, one).status == "broken"
