"""Which transformers family a network of ours is: its config.json written, read back, and compared field by field."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from linnet.core.errors import BadInput
from linnet.core.layers import option
from linnet.export.fields import Fields
from linnet.export.hf_config import ACTIVATIONS, model_config
from linnet.export.hf_rope import write_rope
from linnet.model.config import ModelConfig

# What a family may have and ours leaves out without a difference: a gain of 1, a bias of 0.
NEUTRAL = ("norm_gain", "attention_bias", "attention_output_bias", "mlp_bias", "router_bias")


class Choice(NamedTuple):
    """A family, the fields of its config.json, and the ModelConfig that it reads back as."""

    family: str
    fields: dict[str, Any]
    config: ModelConfig


def choose(config: ModelConfig, where: str | Path = "this network", without: Mapping[str, str] | None = None) -> Choice:
    """Return the family that expresses a network, the one that adds least; `without` are families ruled out, and why.

    Raises BadInput naming the fields that none expresses, with the options of `linnet pretrain` that make a network
    which can be exported.
    """
    if config.output_size is not None:
        raise BadInput(f"{where}: output_size = {config.output_size}: only language models can be exported")
    found: dict[str, tuple[Choice, dict[str, tuple[Any, Any]]]] = {}
    for family, write in WRITERS.items():
        fields = {"model_type": family, "architectures": [ARCHITECTURES[family]], **write(config)}
        try:
            read = model_config(Fields(fields, Path(f"the config.json of a {family}")))
        except BadInput:  # sizes that this family cannot have at all
            continue
        found[family] = Choice(family, fields, read), differences(config, read)
    allowed = [family for family in found if family not in (without or {})]
    exact = [found[family][0] for family in allowed if not found[family][1]]
    if exact:
        return min(exact, key=lambda choice: len(_added(config, choice.config)))
    for family, why in (without or {}).items():
        if family in found and not found[family][1]:
            raise BadInput(f"{where}: only a {family} is such a network, and {why}")
    nearest = min(allowed, key=lambda family: len(found[family][1]))
    wrong = found[nearest][1]
    ours = ", ".join(f"{name} = {_word(mine)}" for name, (mine, _) in wrong.items())
    options = " ".join(_typed(name, theirs) for name, (_, theirs) in wrong.items())
    raise BadInput(
        f"{where}: no architecture of transformers has {ours}; the nearest is {nearest}: "
        f"pretrain with {options} for a network that can be exported"
    )


def _added(ours: ModelConfig, theirs: ModelConfig) -> list[str]:
    """Return what a family has beyond ours: gains of 1 and biases of 0 will fill it."""
    mine, other = network(ours), network(theirs)
    return [name for name in NEUTRAL if mine[name] != other[name]]


def differences(ours: ModelConfig, theirs: ModelConfig) -> dict[str, tuple[Any, Any]]:
    """Return {field: (ours, theirs)} where two configs are different networks, not different ways to say one."""
    mine, other = network(ours), network(theirs)
    return {
        name: (mine[name], other[name])
        for name in mine
        if mine[name] != other[name] and not (name in NEUTRAL and other[name] is True)
    }


def network(config: ModelConfig) -> dict[str, Any]:
    """Return a config's fields with defaults worked out and without what has no effect."""
    values = config.model_dump()
    plain = ModelConfig().model_dump()
    values |= {
        "num_kv_heads": config.kv_heads,
        "head_size": config.head_width,
        "mlp_size": config.mlp_width,
        "expert_size": config.expert_width if config.num_experts else None,
        "dropout": 0.0,  # of training only
    }
    idle: set[str] = set()
    if config.positions != "rotary":
        idle |= {"rope_theta", "rope_scaling"}
    if config.positions != "rotary" or config.rope_scaling == "none":
        idle |= {"rope_factor", "rope_low", "rope_high", "rope_context"}
    windows = [config.layer_window(layer) for layer in range(config.num_layers)]
    if not any(windows):
        idle |= {"window", "global_every", "sink_tokens"}
    values["global_every"] = windows.index(None) + 1 if None in windows else 0
    if not any(map(config.layer_is_mixture, range(config.num_layers))):
        idle |= {name for name in values if "expert" in name} | {"moe_every", "router_bias"}
    elif config.experts_per_token == 1:
        values["normalise_experts"] = False
    if all(map(config.layer_is_mixture, range(config.num_layers))):
        values["mlp_size"] = None
    if not config.attention_bias:
        values["attention_output_bias"] = False
    return {name: plain[name] if name in idle else value for name, value in values.items()}


def _word(value: Any) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _typed(name: str, value: Any) -> str:
    """Return a field of the model as it is typed."""
    if isinstance(value, bool):
        return option(("model", name if value else f"no_{name}"))
    return f"{option(('model', name))} {_word(value)}"


def _gpt2(config: ModelConfig) -> dict[str, Any]:
    theirs = {ours: name for name, ours in reversed(ACTIVATIONS.items())}
    return {
        "vocab_size": config.vocab_size,
        "n_positions": config.context_length,
        "n_ctx": config.context_length,
        "n_embd": config.hidden_size,
        "n_layer": config.num_layers,
        "n_head": config.num_heads,
        "n_inner": config.mlp_width,
        "activation_function": theirs.get(config.activation, "gelu_new"),
        "layer_norm_epsilon": config.norm_epsilon,
        "embd_pdrop": config.dropout,
        "resid_pdrop": config.dropout,
        "attn_pdrop": 0.0,
        "tie_word_embeddings": config.tie_embeddings,
    }


def _rotary(config: ModelConfig) -> dict[str, Any]:
    return {
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.context_length,
        "num_hidden_layers": config.num_layers,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.mlp_width,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_width,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_epsilon,
        "tie_word_embeddings": config.tie_embeddings,
        **write_rope(config),
    }


def _llama(config: ModelConfig) -> dict[str, Any]:
    return {**_rotary(config), "attention_bias": config.attention_bias, "mlp_bias": config.mlp_bias}


def _qwen2(config: ModelConfig) -> dict[str, Any]:
    return {**_rotary(config), **_windows(config)}


def _qwen3(config: ModelConfig) -> dict[str, Any]:
    return {**_qwen2(config), "attention_bias": config.attention_bias}


def _mixtral(config: ModelConfig) -> dict[str, Any]:
    return {
        **_rotary(config),
        "intermediate_size": config.expert_width,
        "sliding_window": config.window,
        "num_local_experts": max(2, config.num_experts),
        "num_experts_per_tok": max(2, min(config.experts_per_token, config.num_experts)),
    }


def _qwen3_moe(config: ModelConfig) -> dict[str, Any]:
    experts = max(1, config.num_experts)
    chosen = min(config.experts_per_token, experts)
    return {
        **_rotary(config),
        "attention_bias": config.attention_bias,
        "use_sliding_window": config.window is not None,
        "sliding_window": config.window,
        "num_experts": experts,
        "moe_intermediate_size": config.expert_width,
        "num_experts_per_tok": chosen,
        "norm_topk_prob": config.normalise_experts and chosen > 1,
        "decoder_sparse_step": config.moe_every,
        "mlp_only_layers": [],
    }


def _gpt_oss(config: ModelConfig) -> dict[str, Any]:
    return {
        **_mixtral(config),
        # It must have one, also where no layer uses it.
        "sliding_window": config.window or config.context_length,
        "layer_types": _kinds(config),
        "attention_bias": config.attention_bias,
        "swiglu_alpha": 1.702,
        "swiglu_limit": 7.0,
    }


def _windows(config: ModelConfig) -> dict[str, Any]:
    """Return the fields of Qwen's windows; versions that know no `layer_types` count the layers without one."""
    kinds = _kinds(config)
    return {
        "use_sliding_window": "sliding_attention" in kinds,
        "sliding_window": config.window,
        "max_window_layers": len(kinds) if "sliding_attention" not in kinds else 0,
        "layer_types": kinds,
    }


def _kinds(config: ModelConfig) -> list[str]:
    windows = map(config.layer_window, range(config.num_layers))
    return ["full_attention" if window is None else "sliding_attention" for window in windows]


# In the order in which they are tried; the first of equals is the best known.
WRITERS: dict[str, Callable[[ModelConfig], dict[str, Any]]] = {
    "llama": _llama,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "mixtral": _mixtral,
    "qwen3_moe": _qwen3_moe,
    "gpt_oss": _gpt_oss,
    "gpt2": _gpt2,
}
ARCHITECTURES = {
    "llama": "LlamaForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "mixtral": "MixtralForCausalLM",
    "qwen3_moe": "Qwen3MoeForCausalLM",
    "gpt_oss": "GptOssForCausalLM",
    "gpt2": "GPT2LMHeadModel",
}
