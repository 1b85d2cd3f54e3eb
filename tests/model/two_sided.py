"""Small encoder-decoders and encoders with random weights, so that no part of them is silent."""

import torch
from torch import Tensor

from linnet.model.config import CLASSIC, ModelConfig
from linnet.model.network import Network, build

VOCABULARY = 43
_SMALL = {"vocab_size": VOCABULARY, "context_length": 32, "num_layers": 2, "hidden_size": 16, "num_heads": 4}
TWO_SIDES: dict[str, dict] = {
    "sinusoidal": {**_SMALL, "positions": "sinusoidal"},
    "rotary, tied, grouped": {**_SMALL, "tie_embeddings": True, "num_kv_heads": 2, "encoder_layers": 3},
    "learned": {**_SMALL, "positions": "learned", "norm_gain": True},
    "t5": {
        **_SMALL,
        **CLASSIC,
        "positions": "relative",
        "activation": "geglu",
        "attention_scale": 1.0,
        "logit_scale": 0.25,
        "relative_buckets": 8,
        "relative_distance": 12,
        "encoder_layers": 1,
    },
}
ENCODERS: dict[str, dict] = {
    "ours": _SMALL,
    "relative": {**_SMALL, "positions": "relative"},
    "bert": {
        **_SMALL,
        **CLASSIC,
        "positions": "learned",
        "norm": "layer",
        "post_norm": True,
        "activation": "gelu_exact",
        "attention_bias": True,
        "mlp_bias": True,
        "segments": 2,
        "head_layer": "gelu",
        "head_bias": True,
        "tie_embeddings": True,
    },
}


def made(kind: str, **choices) -> Network:
    """Build a network whose every weight is random: zero-initialised projections would make checks vacuous."""
    model = build(ModelConfig(kind=kind, **choices)).eval()
    draw = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=draw)
            gain = parameter.ndim == 1 and not name.endswith("bias")
            parameter.copy_(1 + 0.3 * noise if gain else noise * (0.5 if parameter.ndim == 1 else 0.35))
    return model


def some_ids(rows: int, tokens: int, seed: int = 0) -> Tensor:
    """Draw ids [B, T]."""
    return torch.randint(0, VOCABULARY, (rows, tokens), generator=torch.Generator().manual_seed(seed))
