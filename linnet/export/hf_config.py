"""What a transformers `config.json` says, as our ModelConfig; what we cannot express is refused by the field's name."""

from collections.abc import Callable
from typing import Any

from linnet.core.errors import BadInput
from linnet.export.fields import Fields
from linnet.export.hf_rope import read_rope
from linnet.model.config import CLASSIC, MOST_LAYERS, ModelConfig


def model_config(fields: Fields) -> ModelConfig:
    """Return the ModelConfig of a transformers config; raises BadInput naming the field that we cannot express.

    Dropout is a choice of training, not of the network, and stays 0; `context_length` is their longest position.
    """
    kind = fields.need("model_type")
    if not isinstance(kind, str) or kind not in READERS:
        raise BadInput(f"{fields.where}: model_type = {kind!r} is not known here, only {', '.join(READERS)}")
    if fields.get("quantization_config") is not None:
        raise BadInput(f"{fields.where}: quantization_config: quantized weights are not read; give the full ones")
    return ModelConfig.build({**CLASSIC, **READERS[kind](fields)}, where=fields.where)


ACTIVATIONS = {"gelu_new": "gelu", "gelu_pytorch_tanh": "gelu", "gelu": "gelu_exact", "relu2": "relu2"}


def _gpt2(fields: Fields) -> dict[str, Any]:
    fields.only("scale_attn_weights", True, default=True)
    fields.only("scale_attn_by_inverse_layer_idx", False, default=False)
    fields.only("add_cross_attention", False, default=False)
    return {
        "vocab_size": fields.need("vocab_size"),
        "context_length": fields.need("n_positions"),
        "num_layers": fields.need("n_layer"),
        "hidden_size": fields.need("n_embd"),
        "num_heads": fields.need("n_head"),
        "mlp_size": fields.get("n_inner"),
        "positions": "learned",
        "norm": "layer",
        "norm_epsilon": fields.get("layer_norm_epsilon", 1e-5),
        "activation": ACTIVATIONS[fields.only("activation_function", *ACTIVATIONS, default="gelu_new")],
        "attention_bias": True,
        "mlp_bias": True,
        "tie_embeddings": fields.get("tie_word_embeddings", True),
    }


def _rotary(fields: Fields, theta: float, epsilon: float) -> dict[str, Any]:
    """Read what all families but GPT-2 share; theta and epsilon are the family's defaults."""
    fields.only("hidden_act", "silu", "swish", default="silu")
    return {
        "vocab_size": fields.need("vocab_size"),
        "context_length": fields.need("max_position_embeddings"),
        "num_layers": fields.need("num_hidden_layers"),
        "hidden_size": fields.need("hidden_size"),
        "num_heads": fields.need("num_attention_heads"),
        "num_kv_heads": fields.get("num_key_value_heads"),
        "head_size": fields.get("head_dim"),
        "mlp_size": fields.need("intermediate_size"),
        **read_rope(fields, theta),
        "norm_epsilon": fields.get("rms_norm_eps", epsilon),
        "activation": "swiglu",
        "tie_embeddings": fields.get("tie_word_embeddings", False),
    }


def _llama(fields: Fields) -> dict[str, Any]:
    return {
        **_rotary(fields, theta=10000.0, epsilon=1e-6),
        "attention_bias": fields.get("attention_bias", False),
        "mlp_bias": fields.get("mlp_bias", False),
    }


def _qwen2(fields: Fields) -> dict[str, Any]:
    return {
        **_rotary(fields, theta=10000.0, epsilon=1e-6),
        **_windows(fields),
        "num_kv_heads": fields.get("num_key_value_heads", 32),
        "attention_bias": True,
        "attention_output_bias": False,
    }


def _qwen3(fields: Fields) -> dict[str, Any]:
    return {
        **_rotary(fields, theta=10000.0, epsilon=1e-6),
        **_windows(fields),
        "head_size": fields.get("head_dim", 128),
        "num_kv_heads": fields.get("num_key_value_heads", 32),
        "attention_bias": fields.get("attention_bias", False),
        "qk_norm": True,
    }


def _qwen3_moe(fields: Fields) -> dict[str, Any]:
    normalised = fields.only("norm_topk_prob", True, False, default=False)
    fields.only("mlp_only_layers", None, [], default=None)
    return {
        **_rotary(fields, theta=10000.0, epsilon=1e-6),
        "num_kv_heads": fields.get("num_key_value_heads", 4),
        "attention_bias": fields.get("attention_bias", False),
        "qk_norm": True,
        "window": fields.get("sliding_window", 4096) if fields.get("use_sliding_window", False) else None,
        "num_experts": fields.get("num_experts", fields.get("num_local_experts", 128)),
        "expert_size": fields.get("moe_intermediate_size", 768),
        "experts_per_token": _visited(fields, 8) if normalised else fields.get("num_experts_per_tok", 8),
        "normalise_experts": normalised,
        "moe_every": fields.get("decoder_sparse_step", 1),
    }


def _mixtral(fields: Fields) -> dict[str, Any]:
    return {
        **_rotary(fields, theta=1e6, epsilon=1e-5),
        "num_kv_heads": fields.get("num_key_value_heads", 8),
        "num_experts": fields.get("num_local_experts", 8),
        "experts_per_token": _visited(fields, 2),
        "window": fields.get("sliding_window"),
    }


def _gpt_oss(fields: Fields) -> dict[str, Any]:
    fields.only("swiglu_alpha", 1.702, default=1.702)
    fields.only("swiglu_limit", 7.0, default=7.0)
    layers = fields.count("num_hidden_layers", 36, MOST_LAYERS)
    alternating = ["full_attention" if layer % 2 else "sliding_attention" for layer in range(layers)]
    window = fields.count("sliding_window", 128)
    return {
        **_rotary(fields, theta=150000.0, epsilon=1e-5),
        **_pattern(fields, fields.get("layer_types") or alternating, window),
        "head_size": fields.get("head_dim", 64),
        "num_kv_heads": fields.get("num_key_value_heads", 8),
        "activation": "swiglu_clamped",
        "attention_bias": fields.get("attention_bias", True),
        "mlp_bias": True,
        "sink_logits": True,
        "num_experts": fields.get("num_local_experts", 128),
        "experts_per_token": _visited(fields, 4),
        "router_bias": True,
    }


READERS: dict[str, Callable[[Fields], dict[str, Any]]] = {
    "gpt2": _gpt2,
    "llama": _llama,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "mixtral": _mixtral,
    "qwen3_moe": _qwen3_moe,
    "gpt_oss": _gpt_oss,
}


def _visited(fields: Fields, default: int) -> int:
    """Return the experts that a token visits, whose weights sum to 1; raises BadInput for a single one."""
    found = fields.count("num_experts_per_tok", default)
    if found < 2:
        # So that the router can learn.
        reason = "a single expert is weighed by 1 there, and by the router's probability here"
        raise BadInput(
            f"{fields.where}: num_experts_per_tok = {found} cannot be expressed here, only 2 or more: {reason}"
        )
    return found


_KINDS = ("full_attention", "sliding_attention")


def _windows(fields: Fields) -> dict[str, Any]:
    """Return window and global_every of Qwen's layers, whose last ones may have a window."""
    layers = fields.count("num_hidden_layers", 0, MOST_LAYERS)
    window = fields.count("sliding_window", 4096) if fields.get("use_sliding_window", False) else None
    kinds = fields.get("layer_types")
    if kinds is None:
        first = fields.count("max_window_layers", 28)
        kinds = [
            "full_attention" if window is None or layer < first else "sliding_attention" for layer in range(layers)
        ]
    return _pattern(fields, kinds, window)


def _pattern(fields: Fields, kinds: Any, window: int | None) -> dict[str, Any]:
    """Return window and global_every of layers of these kinds; raises BadInput for what these two cannot say."""
    layers = fields.count("num_hidden_layers", 0, MOST_LAYERS)
    if not isinstance(kinds, list) or len(kinds) != layers or any(kind not in _KINDS for kind in kinds):
        raise BadInput(f"{fields.where}: layer_types must name full_attention or sliding_attention for each layer")
    full = [layer for layer, kind in enumerate(kinds) if kind == "full_attention"]
    if len(full) == layers:
        return {"window": None, "global_every": 0}
    if window is None:
        raise BadInput(f"{fields.where}: layer_types has sliding_attention, but use_sliding_window is off")
    every = full[0] + 1 if full else 0
    if full != (list(range(every - 1, layers, every)) if every else []):
        raise BadInput(
            f"{fields.where}: layer_types: full attention in layers {full} cannot be expressed here, "
            "only in every n-th layer, all or none"
        )
    return {"window": window, "global_every": every}
