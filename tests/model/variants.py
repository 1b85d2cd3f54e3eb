"""The networks that every invariant is asked of, small, with random weights so that no part of them is silent."""

import torch
from torch import Tensor

from linnet.model.config import CLASSIC, ModelConfig
from linnet.model.decoder import Decoder

VOCABULARY = 43

_SMALL = {"vocab_size": VOCABULARY, "context_length": 64, "num_layers": 3, "hidden_size": 16, "num_heads": 4}
_CLASSIC = {**_SMALL, **CLASSIC}
GPT2 = {
    **_CLASSIC,
    "positions": "learned",
    "norm": "layer",
    "activation": "gelu",
    "attention_bias": True,
    "mlp_bias": True,
    "tie_embeddings": True,
}
LLAMA = {**_CLASSIC, "activation": "swiglu", "num_kv_heads": 2, "mlp_size": 24}
QWEN3 = {**LLAMA, "qk_norm": True, "head_size": 8}
MIXTRAL = {**LLAMA, "num_experts": 4, "experts_per_token": 2}

VARIANTS: dict[str, dict] = {
    "ours": _SMALL,
    "ours_ngrams": {**_SMALL, "ngram_buckets": 101},
    "ours_tied": {**_SMALL, "tie_embeddings": True},
    "gpt2": GPT2,
    "llama_gqa": LLAMA,
    "llama_mqa": {**LLAMA, "num_kv_heads": 1},
    "qwen3": QWEN3,
    "window": {**_SMALL, "window": 5},
    "window_sinks": {**_SMALL, "window": 5, "sink_tokens": 2},
    "sink_logits": {**_SMALL, "sink_logits": True},
    "sink_logits_window": {**_SMALL, "sink_logits": True, "window": 5, "sink_tokens": 2},
    "moe_top1": {**_SMALL, "num_experts": 4, "experts_per_token": 1},
    "moe_top2": {**MIXTRAL, "moe_every": 2},
    "sinusoidal": {**_SMALL, "positions": "sinusoidal"},
    "no_positions": {**_SMALL, "positions": "none"},
    "global_every": {**_SMALL, "window": 4, "global_every": 2, "num_kv_heads": 2},
}
# With a capacity, who is dropped depends on all tokens of the batch, by design: batch mates, padding that was cut
# into other pieces and the length of a prefill change the output. These are asked only what does not depend on it.
CAPACITY: dict[str, dict] = {
    "capacity_top1": {**VARIANTS["moe_top1"], "expert_capacity": 1.25},
    "capacity_top2": {**VARIANTS["moe_top2"], "expert_capacity": 1.0},
}


def build(**choices) -> Decoder:
    """Build a network whose every weight is random: zero-initialised projections would make invariants vacuous."""
    model = Decoder(ModelConfig(**choices)).eval()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            gain = parameter.ndim == 1 and not name.endswith("bias")
            # Wide enough that a token's influence through three layers stands far above rounding.
            parameter.copy_(1 + 0.3 * noise if gain else noise * (0.5 if parameter.ndim == 1 else 0.35))
    return model


def random_ids(rows: int, tokens: int, seed: int = 0) -> Tensor:
    """Draw ids [B, T]."""
    return torch.randint(0, VOCABULARY, (rows, tokens), generator=torch.Generator().manual_seed(seed))
