"""First weights, so that every network starts at a loss of ln V.

Ours: matrices uniform with the variance 1 / fan-in, every output projection zero, so that a block starts as the
identity (the zero-initialised residuals of Zhang et al. 2019, "Fixup", as used in modded-nanogpt); embeddings N(0, 1)
since a norm follows, and a small head. Without that norm: N(0, 0.02) and residual projections divided by sqrt(2 L)
(Radford et al. 2019, GPT-2). The head is drawn narrower where its width asks for it: logits of a normalised stream
deviate by sqrt(D) times the head's deviation, and in a tied head a token's own logit grows like D times it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from linnet.model.stack import Stack


@torch.no_grad()
def initialise(model: Stack, generator: torch.Generator) -> None:
    """Draw all weights of a stack and its head from the generator (on the CPU: a seed means the same everywhere)."""
    config = model.config
    if model.embedding.weight.is_meta:  # shapes without memory: there is nothing to draw
        return
    ours = config.embedding_norm
    looked_up = summed = 1.0 if ours else 0.02
    if config.tie_embeddings:  # and what is added to the embedding stays of its size
        summed = min(0.02, (1.0 if ours else 8.0) / config.hidden_size)
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or name == "relative.table.weight":
            parameter.zero_()
        elif _is_embedding(model, name):
            _normal(parameter, looked_up if name.startswith("value_embeddings") else summed, generator)
        elif parameter.ndim != 2:
            continue  # gains, mixes and sink logits are made with their values
        elif name == "head.weight":
            _normal(parameter, 0.001 if ours else min(0.02, 0.3 / config.hidden_size**0.5), generator)
        elif name.endswith(("output.weight", "down.weight")):
            if ours:
                parameter.zero_()
            else:
                _normal(parameter, 0.02 / (2 * config.num_layers) ** 0.5, generator)
        elif name.endswith("value_gate.weight"):
            parameter.zero_()
        elif ours:
            bound = (3.0 / parameter.shape[1]) ** 0.5
            parameter.copy_(torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator))
        else:
            _normal(parameter, 0.02, generator)


def _is_embedding(model: nn.Module, name: str) -> bool:
    return isinstance(model.get_submodule(name.rpartition(".")[0]), nn.Embedding)


def _normal(parameter: nn.Parameter, deviation: float, generator: torch.Generator) -> None:
    parameter.copy_(torch.empty(parameter.shape).normal_(0.0, deviation, generator=generator))
