"""Fields of config.json become a ModelConfig, and what cannot be expressed is refused by the field's name."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.core.errors import BadInput
from linnet.export.fields import Fields
from linnet.export.hf_config import model_config

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
QWEN2 = {**LLAMA, "model_type": "qwen2", "num_key_value_heads": 2}
QWEN3_MOE = {**QWEN3, "model_type": "qwen3_moe", "num_experts": 16, "norm_topk_prob": True}
GPT_OSS = {**QWEN3, "model_type": "gpt_oss", "rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
YARN = {"rope_type": "yarn", "factor": 32.0, "truncate": False, "original_max_position_embeddings": 4096}
SLIDING, FULL = "sliding_attention", "full_attention"
WINDOWS = {**QWEN3, "use_sliding_window": True, "sliding_window": 8}


def read(values):
    return model_config(Fields(values, Path("config.json")))


def test_defaults_of_the_families_where_fields_are_absent():
    llama, gpt2, mixtral = read(LLAMA), read(GPT2), read(MIXTRAL)
    assert (llama.kv_heads, llama.rope_theta, llama.norm_epsilon, llama.tie_embeddings) == (4, 1e4, 1e-6, False)
    assert (gpt2.mlp_width, gpt2.activation, gpt2.norm_epsilon, gpt2.tie_embeddings) == (128, "gelu", 1e-5, True)
    assert (mixtral.num_experts, mixtral.rope_theta, mixtral.norm_epsilon) == (8, 1e6, 1e-5)


FAMILIES = [LLAMA, GPT2, QWEN2, QWEN3, MIXTRAL, QWEN3_MOE, {**GPT_OSS, "rope_parameters": None}]


@pytest.mark.parametrize("values", FAMILIES, ids=lambda values: values["model_type"])
def test_defaults_are_those_of_transformers(values):
    transformers = pytest.importorskip("transformers")
    kind = values["model_type"]
    theirs = transformers.AutoConfig.for_model(kind).to_dict()
    shapes = {name: value for name, value in values.items() if name not in ("num_key_value_heads", "head_dim")}
    # Everything that gives no size: left out, it must mean what writing out their default means.
    sizes = {"num_key_value_heads", "head_dim", "layer_types", "n_inner"}
    written = {name: value for name, value in theirs.items() if name not in sizes}
    if kind == "qwen3_moe":
        written.pop("num_local_experts", None)  # two names of one field
    values = {name: value for name, value in values.items() if value is not None}
    assert read({**written, **values}) == read(values)
    if kind in ("qwen3", "mixtral"):
        wide = {**shapes, "hidden_size": 128, "num_attention_heads": 64}
        kv_heads = theirs["num_key_value_heads"]
        assert read({**wide, "head_dim": theirs["head_dim"], "num_key_value_heads": kv_heads}) == read(wide)


def test_rope_theta_in_all_its_places():
    assert read({**LLAMA, "rope_theta": 7.0}).rope_theta == 7
    assert read({**LLAMA, "rope_parameters": {"rope_type": "default", "rope_theta": 7.0}}).rope_theta == 7
    assert read({**LLAMA, "rope_theta": 7.0, "rope_scaling": None}).rope_theta == 7


def test_stretched_wavelengths_in_both_their_places():
    said = {**LLAMA3, "original_max_position_embeddings": 32}
    for values in ({"rope_scaling": said, "rope_theta": 7.0}, {"rope_parameters": {**said, "rope_theta": 7.0}}):
        found = read({**LLAMA, **values})
        stretched = (found.rope_theta, found.rope_scaling, found.rope_factor, found.rope_low, found.rope_high)
        assert (*stretched, found.rope_context) == (7, "llama3", 8, 1, 4, 32)
    assert read({**LLAMA, "rope_scaling": LLAMA3}).rope_context == 64  # its longest row, where it says nothing
    yarn = read({**LLAMA, "rope_scaling": YARN})
    assert (yarn.rope_scaling, yarn.rope_low, yarn.rope_high, yarn.rope_context) == ("yarn", 1, 32, 4096)


def test_what_the_newer_families_bring():
    qwen2, moe, oss = read(QWEN2), read(QWEN3_MOE), read(GPT_OSS)
    assert (qwen2.attention_bias, qwen2.attention_output_bias) == (True, False)
    assert (moe.num_experts, moe.expert_width, moe.experts_per_token, moe.normalise_experts) == (16, 768, 8, True)
    assert not read({**QWEN3_MOE, "norm_topk_prob": False, "num_experts_per_tok": 1}).normalise_experts
    assert read({**QWEN3_MOE, "decoder_sparse_step": 2}).moe_every == 2
    assert (oss.sink_logits, oss.router_bias, oss.mlp_bias, oss.activation) == (True, True, True, "swiglu_clamped")
    assert (oss.window, oss.global_every, oss.num_experts) == (128, 2, 128)
    plain = {name: value for name, value in GPT_OSS.items() if name != "rope_parameters"}
    assert (read(plain).rope_scaling, read(plain).rope_factor, read(plain).rope_theta) == ("yarn", 32, 150000)


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
        ({**LLAMA, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "rope_scaling: has no field low_freq"),
        ({**LLAMA, "rope_scaling": {**YARN, "truncate": True}}, "truncate"),
        ({**LLAMA, "rope_scaling": {**YARN, "attention_factor": 1.2}}, "attention_factor"),
        ({**LLAMA, "rope_scaling": {**YARN, "mscale": 0.7}}, "mscale"),
        ({**LLAMA, "rope_scaling": {**LLAMA3, "low_freq_factor": 4.0}}, "rope_low 4.0 must be below rope_high 4.0"),
        ({**LLAMA, "rope_scaling": {**LLAMA3, "factor": "eight"}}, "rope_factor"),
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
        ({**MIXTRAL, "num_experts_per_tok": 65}, "experts_per_token"),
        ({**QWEN3_MOE, "num_experts_per_tok": 1}, "num_experts_per_tok"),
        ({**QWEN3_MOE, "mlp_only_layers": [0]}, "mlp_only_layers"),
        ({**QWEN3_MOE, "num_experts": 2000}, "num_experts"),
        ({**GPT_OSS, "swiglu_limit": 20.0}, "swiglu_limit"),
        ({**GPT_OSS, "swiglu_alpha": 1.0}, "swiglu_alpha"),
        ({**GPT_OSS, "num_experts_per_tok": 1}, "num_experts_per_tok"),
        ({**GPT_OSS, "layer_types": [FULL, SLIDING] * 2}, "layer_types"),
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


@pytest.mark.parametrize("base", [QWEN3, WINDOWS, GPT_OSS], ids=["qwen3", "windows", "gpt_oss"])
def test_more_layers_than_there_may_be_are_refused_before_they_are_listed(base):
    for layers in (513, 10**18):  # the second would take all memory
        with pytest.raises(BadInput, match=f"num_hidden_layers = {layers} is more than 512"):
            read({**base, "num_hidden_layers": layers})


_JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.none(), max_size=2)
_NAMES = sorted(
    {
        *LLAMA,
        *GPT2,
        *WINDOWS,
        *QWEN3_MOE,
        "rope_parameters",
        "rope_scaling",
        "layer_types",
        "rms_norm_eps",
        "hidden_act",
    }
)


@settings(max_examples=60, deadline=None)
@given(
    base=st.sampled_from([LLAMA, GPT2, WINDOWS, MIXTRAL, QWEN3_MOE, GPT_OSS]),
    spoiled=st.dictionaries(st.sampled_from(_NAMES), _JSON | st.dictionaries(st.text(max_size=3), _JSON), max_size=3),
)
def test_any_rubbish_is_read_or_refused_never_a_traceback(base, spoiled):
    with contextlib.suppress(BadInput):
        read({**base, **spoiled})
