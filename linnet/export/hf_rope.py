"""Rotary wavelengths in a transformers `config.json`, in all the places where versions put them; both directions."""

from pathlib import Path
from typing import Any

from linnet.core.errors import BadInput
from linnet.export.fields import Fields
from linnet.model.config import ModelConfig

# What gpt-oss means where it says nothing.
_OWN = {
    "gpt_oss": {
        "rope_type": "yarn",
        "factor": 32.0,
        "beta_fast": 32.0,
        "beta_slow": 1.0,
        "truncate": False,
        "original_max_position_embeddings": 4096,
    }
}


def read_rope(fields: Fields, theta: float) -> dict[str, Any]:
    """Return the choices of a ModelConfig; `theta` is the family's default.

    `rope_parameters` is where transformers 5 says all, `rope_theta` and `rope_scaling` are where older versions do.
    Raises BadInput for a kind of scaling, or a part of one, that cannot be expressed.
    """
    theta, found = fields.get("rope_theta", theta), {}
    own = _OWN.get(fields.get("model_type"))
    said = {name: fields.get(name) for name in ("rope_scaling", "rope_parameters") if fields.get(name) is not None}
    for name, values in (said or {"rope_parameters": own} if own else said).items():
        rope = Fields(values, Path(f"{fields.where}: {name}"))
        kind = rope.get("rope_type", rope.get("type", "default"))
        rope.only("partial_rotary_factor", 1, default=1)
        theta = rope.get("rope_theta", theta)
        if kind == "llama3":
            found = _llama3(rope, fields)
        elif kind == "yarn":
            found = _yarn(rope, fields)
        elif kind != "default":
            known = "'default', 'llama3', 'yarn'"
            raise BadInput(f"{fields.where}: {name}: rope_type = {kind!r} cannot be expressed here, only {known}")
    fields.only("partial_rotary_factor", 1, None)
    return {"rope_theta": theta, **found}


def write_rope(config: ModelConfig) -> dict[str, Any]:
    """Return the fields that say a network's wavelengths, for transformers 5 and for versions before it."""
    scaling: dict[str, Any] = {}
    if config.rope_scaling != "none":
        high, low = ("high_freq_factor", "low_freq_factor")
        if config.rope_scaling == "yarn":
            high, low, scaling = "beta_fast", "beta_slow", {"truncate": False}
        scaling |= {
            "rope_type": config.rope_scaling,
            "factor": config.rope_factor,
            low: config.rope_low,
            high: config.rope_high,
            "original_max_position_embeddings": config.rope_context,
        }
    return {
        "rope_theta": config.rope_theta,
        "rope_scaling": scaling or None,
        "rope_parameters": {"rope_type": "default", **scaling, "rope_theta": config.rope_theta},
    }


def _llama3(rope: Fields, fields: Fields) -> dict[str, Any]:
    return {
        "rope_scaling": "llama3",
        "rope_factor": rope.need("factor"),
        "rope_low": rope.need("low_freq_factor"),
        "rope_high": rope.need("high_freq_factor"),
        "rope_context": _original(rope, fields),
    }


def _yarn(rope: Fields, fields: Fields) -> dict[str, Any]:
    rope.only("truncate", False, default=True)  # ends rounded to whole pairs are another ramp
    for name in ("attention_factor", "mscale", "mscale_all_dim"):
        rope.only(name, None)
    return {
        "rope_scaling": "yarn",
        "rope_factor": rope.need("factor"),
        "rope_low": rope.get("beta_slow") or 1.0,
        "rope_high": rope.get("beta_fast") or 32.0,
        "rope_context": _original(rope, fields),
    }


def _original(rope: Fields, fields: Fields) -> Any:
    found = rope.get("original_max_position_embeddings")
    return fields.need("max_position_embeddings") if found is None else found
