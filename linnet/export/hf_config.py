"""What a transformers `config.json` says, as our ModelConfig; what we cannot express is refused by the field's name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig


class Fields:
    """The fields of one config.json; each complaint is one line that names the file and the field."""

    def __init__(self, values: Any, where: Path):
        self.where = where
        if not isinstance(values, Mapping):
            raise BadInput(f"{where}: an object of fields was expected, not {type(values).__name__}")
        self.values: Mapping[str, Any] = values

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field, or the default where it is absent."""
        return self.values.get(name, default)

    def need(self, name: str) -> Any:
        """Return a field; raises BadInput where it is absent or null."""
        if self.values.get(name) is None:
            raise BadInput(f"{self.where}: has no field {name}")
        return self.values[name]

    def count(self, name: str, default: int) -> int:
        """Return a field that is a whole number, not negative; the default where it is absent or null."""
        value = default if self.get(name) is None else self.get(name)
        if not isinstance(value, int) or value < 0:
            raise BadInput(f"{self.where}: {name} = {value!r} is not a whole number")
        return value

    def only(self, name: str, *allowed: Any, default: Any = None) -> Any:
        """Return a field that has one of the values we can express (the default where absent); raises BadInput."""
        value = self.get(name, default)
        if value not in allowed:
            choices = ", ".join(map(repr, allowed))
            raise BadInput(f"{self.where}: {name} = {value!r} cannot be expressed here, only {choices}")
        return value


def model_config(fields: Fields) -> ModelConfig:
    """Return the ModelConfig of a transformers config; raises BadInput naming the field that we cannot express.

    Dropout is a choice of training, not of the network, and stays 0; `context_length` is their longest position.
    """
    kind = fields.need("model_type")
    if not isinstance(kind, str) or kind not in READERS:
        raise BadInput(f"{fields.where}: model_type = {kind!r} is not known here, only {', '.join(READERS)}")
    if fields.get("quantization_config") is not None:
        raise BadInput(f"{fields.where}: quantization_config: quantized weights are not read; give the full ones")
    return ModelConfig.build({**_CLASSIC, **READERS[kind](fields)}, where=fields.where)


# What our own network has and none of these families does.
_CLASSIC = {
    "norm_gain": True,
    "qk_norm": False,
    "embedding_norm": False,
    "residual_mix": False,
    "value_embedding_every": 0,
    "logit_soft_cap": None,
}
_GELU = {"gelu_new": "gelu", "gelu_pytorch_tanh": "gelu", "gelu": "gelu_exact"}


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
        "activation": _GELU[fields.only("activation_function", *_GELU, default="gelu_new")],
        "attention_bias": True,
        "mlp_bias": True,
        "tie_embeddings": fields.get("tie_word_embeddings", True),
    }


def _rotary(fields: Fields, theta: float, epsilon: float) -> dict[str, Any]:
    """Read what Llama, Qwen3 and Mixtral share; theta and epsilon are the family's defaults."""
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
        "rope_theta": _rope_theta(fields, theta),
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


def _qwen3(fields: Fields) -> dict[str, Any]:
    window, global_every = _qwen3_windows(fields)
    return {
        **_rotary(fields, theta=10000.0, epsilon=1e-6),
        "head_size": fields.get("head_dim", 128),
        "num_kv_heads": fields.get("num_key_value_heads", 32),
        "attention_bias": fields.get("attention_bias", False),
        "qk_norm": True,
        "window": window,
        "global_every": global_every,
    }


def _mixtral(fields: Fields) -> dict[str, Any]:
    # One expert a token: theirs weighs it by 1, ours by the router's probability (so that the router can learn).
    fields.only("num_experts_per_tok", 2, default=2)
    return {
        **_rotary(fields, theta=1e6, epsilon=1e-5),
        "num_kv_heads": fields.get("num_key_value_heads", 8),
        "num_experts": fields.get("num_local_experts", 8),
        "experts_per_token": 2,
        "window": fields.get("sliding_window"),
    }


READERS: dict[str, Callable[[Fields], dict[str, Any]]] = {
    "gpt2": _gpt2,
    "llama": _llama,
    "qwen3": _qwen3,
    "mixtral": _mixtral,
}


def _rope_theta(fields: Fields, default: float) -> float:
    """Return the rotary base from `rope_parameters` (transformers 5) or `rope_theta`, with no scaling beside it."""
    theta = fields.get("rope_theta", default)
    for name in ("rope_scaling", "rope_parameters"):
        if fields.get(name) is None:
            continue
        rope = Fields(fields.get(name), Path(f"{fields.where}: {name}"))
        kind = rope.get("rope_type", rope.get("type", "default"))
        if kind != "default":
            raise BadInput(f"{fields.where}: {name}: rope_type = {kind!r} cannot be expressed here, only 'default'")
        rope.only("partial_rotary_factor", 1, default=1)
        theta = rope.get("rope_theta", theta)
    fields.only("partial_rotary_factor", 1, None)
    return theta


_KINDS = ("full_attention", "sliding_attention")


def _qwen3_windows(fields: Fields) -> tuple[int | None, int]:
    """Return window and global_every of the layers; raises BadInput for a pattern that these two cannot say."""
    layers = fields.count("num_hidden_layers", 0)
    window = fields.count("sliding_window", 4096) if fields.get("use_sliding_window", False) else None
    kinds = fields.get("layer_types")
    if kinds is None:
        first = fields.count("max_window_layers", 28)
        kinds = [
            "full_attention" if window is None or layer < first else "sliding_attention" for layer in range(layers)
        ]
    if not isinstance(kinds, list) or len(kinds) != layers or any(kind not in _KINDS for kind in kinds):
        raise BadInput(f"{fields.where}: layer_types must name full_attention or sliding_attention for each layer")
    full = [layer for layer, kind in enumerate(kinds) if kind == "full_attention"]
    if len(full) == layers:
        return None, 0
    if window is None:
        raise BadInput(f"{fields.where}: layer_types has sliding_attention, but use_sliding_window is off")
    every = full[0] + 1 if full else 0
    if full != (list(range(every - 1, layers, every)) if every else []):
        raise BadInput(
            f"{fields.where}: layer_types: full attention in layers {full} cannot be expressed here, "
            "only in every n-th layer, all or none"
        )
    return window, every
