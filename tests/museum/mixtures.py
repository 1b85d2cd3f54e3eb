"""Exhibits about mixtures of experts: routers that cannot learn, experts that never work, padding that is routed."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from linnet.prove.experts import (
    balance_ignores_padding,
    no_dead_expert,
    padding_is_not_routed,
    router_gets_gradient,
)
from linnet.prove.parts import Experts
from linnet.prove.subject import Subject
from tests.museum.exhibit import exhibit
from tests.museum.networks import HIDDEN, Decoder, fill, plain

EXPERTS = 4


class Mixture(nn.Module):
    """Experts of which a router chooses some for each token; it keeps what it chose last."""

    def __init__(self, top: int = 2, normalised: bool = True):
        super().__init__()
        self.top, self.normalised = top, normalised
        self.router = nn.Linear(HIDDEN, EXPERTS)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(HIDDEN, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HIDDEN)) for _ in range(EXPERTS)
        )

    def forward(self, x: Tensor) -> Tensor:
        self.probabilities = self.router(x).softmax(-1)  # [B, T, E]
        weights, self.chosen = self.probabilities.topk(self.top, dim=-1)  # [B, T, top]
        if self.normalised:
            weights = weights / weights.sum(-1, keepdim=True)
        each = torch.stack([expert(x) for expert in self.experts], dim=-2)  # [B, T, E, D]
        return (weights[..., None] * each.take_along_dim(self.chosen[..., None], dim=-2)).sum(-2)


def _network(mixture: Mixture) -> Decoder:
    model = Decoder(layers=1)
    model.mlp[0] = mixture
    fill(model)
    return model


def _counted(chosen: Tensor) -> Tensor:
    return torch.bincount(chosen.flatten(), minlength=EXPERTS)[None]  # [1, E]


def _mixture(model: Decoder) -> Mixture:
    assert isinstance(model.mlp[0], Mixture)
    return model.mlp[0]


def _subject(model: Decoder, padding_routed: bool = False, padding_balanced: bool = False) -> Subject:
    mixture = _mixture(model)

    def load(ids: Tensor) -> Tensor:
        model(ids)
        return _counted(mixture.chosen)

    def padded_load(ids: Tensor, lengths: Tensor) -> Tensor:
        model(ids)
        real = torch.arange(ids.shape[1]) < lengths[:, None]
        return _counted(mixture.chosen if padding_routed else mixture.chosen[real])

    def balance(ids: Tensor, lengths: Tensor) -> Tensor:
        model(ids)
        real = torch.arange(ids.shape[1]) < lengths[:, None]
        counts = torch.ones_like(real) if padding_balanced else real
        share = _counted(mixture.chosen[counts])[0] / (counts.sum() * mixture.top)
        return EXPERTS * (share * mixture.probabilities[counts].mean(0)).sum()

    return replace(plain(model), experts=Experts(("mlp.0.router.weight",), load, padded_load, balance))


@exhibit(router_gets_gradient)
def a_router_that_cannot_learn(wrong: bool) -> Subject:
    """A router of one expert a token that cannot learn.

    The weights of the chosen experts were scaled to a sum of 1, which makes the weight of a single expert exactly 1
    whatever the router says. Only the balance loss reached the router, and a mixture of 198M weights was worse than a
    dense model of 64M.

    Source: https://github.com/jingyaogong/minimind/issues/858
    """
    return _subject(_network(Mixture(top=1, normalised=wrong)))


@exhibit(no_dead_expert)
def a_router_that_collapsed(wrong: bool) -> Subject:
    """A router that sends every token to one expert.

    Nothing kept the load of the experts apart, and as the training went on each layer came to send all tokens to a
    single expert. All others were weights that no token used.

    Source: https://github.com/pytorch/torchtitan/issues/1246
    """
    model = _network(Mixture(top=1, normalised=False))
    if wrong:  # as such a training leaves it
        with torch.no_grad():
            _mixture(model).router.bias[2] = 20.0
    return _subject(model)


@exhibit(padding_is_not_routed)
def padding_that_takes_the_room_of_tokens(wrong: bool) -> Subject:
    """Padding that takes the room of tokens.

    Padding was left out of the balance loss only, and still went through the router to the experts. It used up
    the capacity that was meant for tokens.

    Source: https://github.com/NVIDIA/Megatron-LM/pull/5542
    """
    return _subject(_network(Mixture()), padding_routed=wrong)


@exhibit(balance_ignores_padding)
def a_balance_loss_that_counts_padding(wrong: bool) -> Subject:
    """A balance loss that counts padding.

    The load-balancing loss of Mixtral was worked out over all places of a batch. Routers were asked to spread padding.

    Source: https://github.com/huggingface/transformers/issues/28505
    """
    return _subject(_network(Mixture()), padding_balanced=wrong)
