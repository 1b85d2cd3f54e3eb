"""Networks of ours that every family of transformers expresses, random, with a tokenizer of their size."""

import json
from functools import cache
from pathlib import Path

import torch

from linnet.artifacts import save_model
from linnet.model.config import CLASSIC, ModelConfig
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer

_PLAIN = {
    "context_length": 96,
    "num_layers": 2,
    "hidden_size": 32,
    "num_heads": 4,
    **CLASSIC,
    "activation": "swiglu",
    "mlp_size": 48,
}
_GPT2 = {
    **_PLAIN,
    "positions": "learned",
    "norm": "layer",
    "activation": "gelu",
    "attention_bias": True,
    "mlp_bias": True,
    "tie_embeddings": True,
}
_QWEN3 = {**_PLAIN, "qk_norm": True, "head_size": 16, "num_kv_heads": 2}
_MIXTRAL = {**_PLAIN, "num_kv_heads": 2, "num_experts": 4, "norm_epsilon": 1e-5}
_OSS = {
    **_MIXTRAL,
    "activation": "swiglu_clamped",
    "attention_bias": True,
    "mlp_bias": True,
    "router_bias": True,
    "sink_logits": True,
    "head_size": 8,
}
_LONG = {"rope_factor": 8.0, "rope_low": 1.0, "rope_high": 4.0, "rope_context": 32, "rope_theta": 500.0}

# Name: (family, choices).
NETWORKS: dict[str, tuple[str, dict]] = {
    "gpt2": ("gpt2", _GPT2),
    "gpt2 untied, exact gelu, one head": (
        "gpt2",
        {**_GPT2, "tie_embeddings": False, "activation": "gelu_exact", "num_heads": 1, "norm_epsilon": 1e-3},
    ),
    "gpt2 squared relu, three layers": ("gpt2", {**_GPT2, "activation": "relu2", "num_layers": 3, "mlp_size": 40}),
    "llama mha": ("llama", _PLAIN),
    "llama gqa, tied": ("llama", {**_PLAIN, "num_kv_heads": 2, "tie_embeddings": True, "rope_theta": 300.0}),
    "llama mqa, biases, wide heads": (
        "llama",
        {**_PLAIN, "num_kv_heads": 1, "attention_bias": True, "mlp_bias": True, "head_size": 16},
    ),
    "llama stretched": ("llama", {**_PLAIN, **_LONG, "num_layers": 3, "rope_scaling": "llama3", "head_size": 16}),
    "qwen2 gqa": ("qwen2", {**_PLAIN, "num_kv_heads": 2, "attention_bias": True, "attention_output_bias": False}),
    "qwen2 mqa, tied, windows": (
        "qwen2",
        {
            **{**_PLAIN, "num_kv_heads": 1, "attention_bias": True, "attention_output_bias": False},
            **{"tie_embeddings": True, "window": 7, "num_layers": 4, "global_every": 2},
        },
    ),
    "qwen3 gqa": ("qwen3", _QWEN3),
    "qwen3 mha, tied, biases, stretched": (
        "qwen3",
        {**_QWEN3, **_LONG, "num_kv_heads": 4, "tie_embeddings": True, "attention_bias": True, "rope_scaling": "yarn"},
    ),
    "qwen3 mqa, window": ("qwen3", {**_QWEN3, "num_kv_heads": 1, "window": 9, "num_layers": 3}),
    "mixtral": ("mixtral", _MIXTRAL),
    "mixtral mqa, tied, window, three of five": (
        "mixtral",
        {
            **_MIXTRAL,
            **{"num_kv_heads": 1, "tie_embeddings": True, "window": 7, "num_experts": 5, "experts_per_token": 3},
        },
    ),
    "qwen3_moe": ("qwen3_moe", {**_QWEN3, "num_experts": 8, "expert_size": 20, "experts_per_token": 4}),
    "qwen3_moe one plain expert, every second layer, tied": (
        "qwen3_moe",
        {
            **{**_QWEN3, "num_experts": 4, "experts_per_token": 1, "moe_every": 2, "num_layers": 4},
            **{"tie_embeddings": True, "num_kv_heads": 4},
        },
    ),
    "gpt_oss": ("gpt_oss", {**_OSS, "window": 7, "global_every": 2, "rope_theta": 150000.0}),
    "gpt_oss mqa, tied, yarn": (
        "gpt_oss",
        {**_OSS, **_LONG, "num_kv_heads": 1, "tie_embeddings": True, "rope_scaling": "yarn", "num_layers": 3},
    ),
}
STORY = "Mia gave the red ball to Tom. It's 12 o'clock, they said!\nuser assistant system tool caf\u00e9 <tag>\n"


QWEN_CUT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@cache
def tokenizer(family: str = "") -> Tokenizer:
    """Return a small byte-level tokenizer with linnet's special tokens; for a qwen2 one that cuts as Qwen does."""
    plain = Tokenizer.train_bpe([STORY] * 3, 290)
    if family != "qwen2":
        return plain
    values = json.loads(plain._source)
    values["normalizer"] = {"type": "NFC"}
    cut = {"type": "Split", "pattern": {"Regex": QWEN_CUT}, "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    values["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [cut, level]}
    return Tokenizer(json.dumps(values), "bpe")


def build(name: str, **choices) -> Decoder:
    """Build a network with weights wide enough that every part of it shows in the logits."""
    return random_network({**NETWORKS[name][1], **choices})


def random_network(choices: dict) -> Decoder:
    """Build a network of these choices, random in all its weights."""
    model = Decoder(ModelConfig(**{"vocab_size": tokenizer().vocab_size, **choices})).eval()
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            scale = 0.3 if parameter.ndim == 1 else parameter.shape[-1] ** -0.5
            gain = parameter.ndim == 1 and ("norm" in key or "gain" in key) and not key.endswith("bias")
            parameter.copy_(float(gain) + scale * torch.randn(parameter.shape, generator=draw))
    return model


def run_of(folder: Path, model: Decoder, chat: bool = False, family: str = "") -> Path:
    """Save a network as the folder of a run."""
    save_model(folder, model, tokenizer(family), chat=chat)
    return folder
