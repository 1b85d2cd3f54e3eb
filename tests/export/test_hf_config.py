"""Fields of config.json become a ModelConfig, and what cannot be expressed is refused by the field's name."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.core.errors import BadInput
from linnet.export.hf_config import Fields, model_config

LLAMA = {
    "model_type": "llama",
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}
GPT2 = {"model_type": "gpt2", "vocab_size": 100, "n_positions": 64, "n_embd": 32, "n_layer": 4, "n_head": 4}
QWEN3 = {**LLAMA, "model_type": "qwen3", "num_key_value_heads": 2, "head_dim": 8}
MIXTRAL = {**LLAMA, "model_type": "mixtral", "num_key_value_heads": 2}
SLIDING, FULL = "sliding_attention", "full_attention"
WINDOWS = {**QWEN3, "use_sliding_window": True, "sliding_window": 8}


def read(values):
    return model_config(Fields(values, Path("config.json")))


def test_defaults_of_the_families_where_fields_are_absent():
    llama, gpt2, mixtral = read(LLAMA), read(GPT2), read(MIXTRAL)
    assert (llama.kv_heads, llama.rope_theta, llama.norm_epsilon, llama.tie_embeddings) == (4, 1e4, 1e-6, False)
    assert (gpt2.mlp_width, gpt2.activation, gpt2.norm_epsilon, gpt2.tie_embeddings) == (128, "gelu", 1e-5, True)
    assert (mixtral.num_experts, mixtral.rope_theta, mixtral.norm_epsilon) == (8, 1e6, 1e-5)


@pytest.mark.parametrize("values", [LLAMA, GPT2, QWEN3, MIXTRAL], ids=lambda values: values["model_type"])
def test_defaults_are_those_of_transformers(values):
    transformers = pytest.importorskip("transformers")
    kind = values["model_type"]
    theirs = transformers.AutoConfig.for_model(kind).to_dict()
    shapes = {name: value for name, value in values.items() if name not in ("num_key_value_heads", "head_dim")}
    # Everything that gives no size: left out, it must mean what writing out their default means.
    sizes = {"num_key_value_heads", "head_dim", "layer_types", "n_inner"}
    written = {name: value for name, value in theirs.items() if name not in sizes}
    assert read({**written, **values}) == read(values)
    if kind in ("qwen3", "mixtral"):
        wide = {**shapes, "hidden_size": 128, "num_attention_heads": 64}
        kv_heads = theirs["num_key_value_heads"]
        assert read({**wide, "head_dim": theirs["head_dim"], "num_key_value_heads": kv_heads}) == read(wide)


def test_rope_theta_in_all_its_places():
    assert read({**LLAMA, "rope_theta": 7.0}).rope_theta == 7
    assert read({**LLAMA, "rope_parameters": {"rope_type": "default", "rope_theta": 7.0}}).rope_theta == 7
    assert read({**LLAMA, "rope_theta": 7.0, "rope_scaling": None}).rope_theta == 7


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([FULL] * 4, (None, 0)),
        ([SLIDING] * 4, (8, 0)),
        ([SLIDING, FULL] * 2, (8, 2)),
        ([SLIDING, SLIDING, FULL, SLIDING], (8, 3)),
        ([SLIDING, SLIDING, SLIDING, FULL], (8, 4)),
    ],
)
def test_patterns_of_windows(kinds, expected):
    config = read({**WINDOWS, "layer_types": kinds})
    assert (config.window, config.global_every) == expected
    assert [config.layer_window(layer) is None for layer in range(4)] == [kind == FULL for kind in kinds]


def test_max_window_layers_stands_for_the_pattern():
    assert read({**WINDOWS, "max_window_layers": 4}).window is None
    assert read({**WINDOWS, "max_window_layers": 0}).window == 8
    assert read({**QWEN3, "sliding_window": 8, "max_window_layers": 0}).window is None


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({**LLAMA, "model_type": "gemma3"}, "model_type"),
        ({name: value for name, value in LLAMA.items() if name != "hidden_size"}, "hidden_size"),
        ({**LLAMA, "hidden_act": "gelu"}, "hidden_act"),
        ({**LLAMA, "hidden_size": 33}, "hidden_size"),
        ({**LLAMA, "vocab_size": "many"}, "vocab_size"),
        ({**LLAMA, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "rope_scaling"),
        ({**LLAMA, "rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_scaling"),
        ({**LLAMA, "rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "rope_parameters"),
        ({**LLAMA, "rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
        ({**LLAMA, "rope_parameters": 3}, "rope_parameters"),
        ({**LLAMA, "partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({**LLAMA, "quantization_config": {"bits": 4}}, "quantization_config"),
        ({**GPT2, "activation_function": "relu"}, "activation_function"),
        ({**GPT2, "scale_attn_weights": False}, "scale_attn_weights"),
        ({**GPT2, "scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx"),
        ({**GPT2, "add_cross_attention": True}, "add_cross_attention"),
        ({**MIXTRAL, "num_experts_per_tok": 1}, "num_experts_per_tok"),
        ({**MIXTRAL, "num_experts_per_tok": 4}, "num_experts_per_tok"),
        ({**WINDOWS, "layer_types": [FULL, FULL, SLIDING, SLIDING]}, "layer_types"),
        ({**WINDOWS, "layer_types": [FULL, SLIDING, FULL, SLIDING]}, "layer_types"),
        ({**WINDOWS, "layer_types": [SLIDING, FULL]}, "layer_types"),
        ({**WINDOWS, "layer_types": ["chunked_attention"] * 4}, "layer_types"),
        ({**QWEN3, "layer_types": [SLIDING] * 4}, "layer_types"),
        ({**WINDOWS, "max_window_layers": 2}, "layer_types"),
        ({**WINDOWS, "num_hidden_layers": "four"}, "num_hidden_layers"),
        ([1, 2], "list"),
    ],
)
def test_what_cannot_be_expressed_is_refused_by_its_name(values, field):
    with pytest.raises(BadInput, match=field) as caught:
        read(values)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("config.json")


_JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.none(), max_size=2)
_NAMES = sorted(
    {*LLAMA, *GPT2, *WINDOWS, "rope_parameters", "rope_scaling", "layer_types", "rms_norm_eps", "hidden_act"}
)


@settings(max_examples=60, deadline=None)
@given(
    base=st.sampled_from([LLAMA, GPT2, WINDOWS, MIXTRAL]),
    spoiled=st.dictionaries(st.sampled_from(_NAMES), _JSON | st.dictionaries(st.text(max_size=3), _JSON), max_size=3),
)
def test_any_rubbish_is_read_or_refused_never_a_traceback(base, spoiled):
    with contextlib.suppress(BadInput):
        read({**base, **spoiled})
