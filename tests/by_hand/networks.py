"""The same small networks twice: as an architecture by hand, and as the config of linnet's Decoder."""

import numpy as np
import torch

from linnet.by_hand.gpt import Architecture, take_weights
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder

# What linnet's own network has beyond what is written out by hand.
PLAIN = {"residual_mix": False, "value_embedding_every": 0, "logit_soft_cap": None}
SIZES = {"vocab_size": 19, "context_length": 12, "num_layers": 2, "hidden_size": 16, "num_heads": 4}


def both(bias=False, **choices):
    """Return the architecture and the config of one network."""
    chosen = {**SIZES, "num_kv_heads": 4, "mlp_size": 24, **choices}
    mine = Architecture(**chosen, bias=bias)
    theirs = ModelConfig(**chosen, attention_bias=bias, mlp_bias=bias, **PLAIN)
    return mine, theirs


NETWORKS = {
    "linnet-like": both(),
    "Llama": both(num_kv_heads=2, norm_gain=True, activation="swiglu", qk_norm=False, embedding_norm=False),
    "Qwen3": both(num_kv_heads=2, norm_gain=True, activation="swiglu", embedding_norm=False, rope_theta=1e6),
    "GPT-2": both(
        positions="learned", norm="layer", norm_gain=True, norm_epsilon=1e-5, activation="gelu", bias=True,
        qk_norm=False, embedding_norm=False, tie_embeddings=True,
    ),
}  # fmt: skip


def twins(name, seed=0):
    """Return a network by name as (weights by hand, architecture, Decoder): float64, the same weights, none zero."""
    architecture, config = NETWORKS[name]
    model = Decoder(config).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return take_weights(state(model), architecture), architecture, model


def state(model):
    """Return the weights of a Decoder as arrays by name."""
    return {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}


def some_ids(rows, tokens, seed=0, vocabulary=SIZES["vocab_size"]):
    """Return random ids [rows, tokens]."""
    return np.random.default_rng(seed).integers(0, vocabulary, (rows, tokens))
