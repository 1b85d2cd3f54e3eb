"""Which family expresses a network, and what is said of one that none does."""

import pytest

from linnet.core.errors import BadInput
from linnet.export.hf_families import ARCHITECTURES, WRITERS, choose, differences, network
from linnet.export.hf_tables import TABLES
from linnet.model.config import ModelConfig
from tests.export.networks import NETWORKS


@pytest.mark.parametrize("name", NETWORKS)
def test_each_network_is_of_its_family_and_reads_back_as_itself(name):
    family, choices = NETWORKS[name]
    config = ModelConfig(**choices)
    choice = choose(config)
    assert choice.family == family
    assert network(choice.config) == network(config)
    assert choice.fields["architectures"] == [ARCHITECTURES[family]]


def test_every_family_that_is_written_is_read():
    assert WRITERS.keys() == ARCHITECTURES.keys() == TABLES.keys()


LLAMA = ModelConfig(**NETWORKS["llama mha"][1])


def refused(config, *words, without=None):
    with pytest.raises(BadInput) as caught:
        choose(config, "runs/mine", without)
    line = str(caught.value)
    assert line.startswith("runs/mine: ")
    assert "\n" not in line
    for word in words:
        assert word in line
    return line


def test_our_own_network_is_refused_with_the_options_that_make_one_which_can_be_exported():
    line = refused(
        ModelConfig(),
        "no architecture of transformers has",
        *("activation = relu2", "embedding_norm = true", "residual_mix = true", "value_embedding_every = 2"),
        *("logit_soft_cap = 15.0", "the nearest is qwen3", "pretrain with --model."),
    )
    options = line.split("pretrain with ")[1].removesuffix(" for a network that can be exported").split(" ")
    changes = {}
    for place, word in enumerate(options):
        if word.startswith("--model."):
            name = word.removeprefix("--model.").replace("-", "_")
            flag = place + 1 == len(options) or options[place + 1].startswith("--")
            value = not name.startswith("no_") if flag else options[place + 1]
            changes[name.removeprefix("no_") if flag else name] = None if value == "none" else value
    assert choose(ModelConfig().but(**changes)).family == "qwen3"


@pytest.mark.parametrize(
    ("changes", "field", "option"),
    [
        ({"logit_soft_cap": 30.0}, "logit_soft_cap = 30.0", "--model.logit-soft-cap none"),
        ({"embedding_norm": True}, "embedding_norm = true", "--model.no-embedding-norm"),
        ({"value_embedding_every": 1}, "value_embedding_every = 1", "--model.value-embedding-every 0"),
        ({"residual_mix": True}, "residual_mix = true", "--model.no-residual-mix"),
        ({"ngram_buckets": 64}, "ngram_buckets = 64", "--model.ngram-buckets 0"),
        ({"positions": "none"}, "positions = none", "--model.positions rotary"),
        ({"positions": "sinusoidal"}, "positions = sinusoidal", "--model.positions"),
        ({"window": 5, "sink_tokens": 2, "qk_norm": True}, "sink_tokens = 2", "--model.sink-tokens 0"),
        ({"sink_logits": True}, "sink_logits = true", "--model.no-sink-logits"),
        ({"num_experts": 4, "expert_capacity": 1.0}, "expert_capacity = 1.0", "--model.expert-capacity none"),
        (
            {"num_experts": 4, "experts_per_token": 1},
            "qk_norm = false",
            "nearest is qwen3_moe: pretrain with --model.qk",
        ),
        ({"activation": "relu2"}, "activation = relu2", "--model.activation swiglu"),
    ],
)
def test_what_no_family_expresses_is_named_with_the_option_that_mends_it(changes, field, option):
    refused(LLAMA.but(**changes), field, option)


def test_what_is_no_language_model_is_refused():
    refused(LLAMA.but(output_size=1), "output_size = 1", "only language models")
    refused(LLAMA.but(kind="encoder"), "kind = encoder")


def test_what_a_family_adds_is_neutral_and_the_family_that_adds_least_is_taken():
    bare = LLAMA.but(norm_gain=False)
    assert choose(bare).family == "llama"
    assert choose(bare).config.norm_gain
    qwen2 = LLAMA.but(attention_bias=True, attention_output_bias=False)
    assert choose(qwen2).family == "qwen2"
    rule = {"qwen2": "its tokenizer is not Qwen's"}
    assert choose(qwen2, without=rule).family == "llama"  # with output biases of 0
    refused(qwen2.but(window=5), "only a qwen2 is such a network, and its tokenizer is not Qwen's", without=rule)


def test_other_ways_to_say_a_network_are_no_differences():
    said = LLAMA.but(num_kv_heads=4, head_size=8, mlp_size=48, dropout=0.1, rope_factor=3.0, experts_per_token=7)
    assert differences(LLAMA, said) == {}
    assert differences(LLAMA.but(window=5, global_every=1), LLAMA) == {}  # every layer sees everything
    assert differences(LLAMA.but(num_experts=4, moe_every=9), LLAMA) == {}  # no layer is a mixture
    assert differences(LLAMA, LLAMA.but(rope_theta=500.0)) == {"rope_theta": (10000.0, 500.0)}
    assert differences(LLAMA, LLAMA.but(attention_bias=True, attention_output_bias=False)) == {}
    assert differences(LLAMA.but(attention_bias=True), LLAMA) == {
        "attention_bias": (True, False),
        "attention_output_bias": (True, False),
    }
