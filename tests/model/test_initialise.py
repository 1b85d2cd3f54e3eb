"""First weights: the loss starts at ln V for every family and size, a seed decides, and the sources are followed."""

import math

import pytest
import torch
import torch.nn.functional as F

from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from tests.model.variants import GPT2, LLAMA, MIXTRAL, QWEN3

OURS: dict = {}
FAMILIES = {
    "ours": OURS,
    "ours tied": {"tie_embeddings": True},
    "ours, n-grams": {"ngram_buckets": 997},
    "ours, n-grams, tied": {"ngram_buckets": 997, "tie_embeddings": True},
    "ours, mixture": {"num_experts": 4, "activation": "swiglu"},
    "ours, sinusoids": {"positions": "sinusoidal"},
    "gpt2": GPT2,
    "gpt2 untied": {**GPT2, "tie_embeddings": False},
    "llama": LLAMA,
    "llama tied": {**LLAMA, "tie_embeddings": True},
    "qwen3": QWEN3,
    "mixtral": MIXTRAL,
}
SIZES = [(65, 64, 2), (512, 128, 4), (512, 256, 2)]
LARGE = [(4096, 512, 4), (8192, 768, 12), (2048, 1536, 2)]


def first_loss(choices, vocabulary, hidden, layers):
    sizes = {"vocab_size": vocabulary, "hidden_size": hidden, "num_layers": layers, "num_heads": hidden // 32}
    shape = {"num_kv_heads": None, "head_size": None, "mlp_size": None, "context_length": 64}
    model = Decoder(ModelConfig(**{**choices, **sizes, **shape})).eval()
    ids = torch.randint(0, vocabulary, (8, 65), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return float(F.cross_entropy(model(ids[:, :-1]).float().flatten(0, 1), ids[:, 1:].flatten()))


@pytest.mark.parametrize("size", [SIZES[0], *(pytest.param(s, marks=pytest.mark.slow) for s in SIZES[1:])], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_loss_starts_at_the_logarithm_of_the_vocabulary(family, size):
    assert first_loss(FAMILIES[family], *size) == pytest.approx(math.log(size[0]), rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("size", LARGE, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_loss_starts_at_the_logarithm_of_the_vocabulary_in_large_networks(family, size):
    assert first_loss(FAMILIES[family], *size) == pytest.approx(math.log(size[0]), rel=0.02)


def test_a_seed_decides_every_weight():
    config = ModelConfig(num_layers=2, hidden_size=32)
    weights = [Decoder(config, torch.Generator().manual_seed(seed)).state_dict() for seed in (1, 1, 2)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(weights[0]["blocks.0.attention.query.weight"], weights[2]["blocks.0.attention.query.weight"])


@torch.no_grad()
def test_ours_starts_as_the_identity_with_matrices_of_unit_variance():
    model = Decoder(ModelConfig(num_layers=2, hidden_size=256))
    for block in model.blocks:
        assert block.attention.output.weight.abs().max() == block.mlp.down.weight.abs().max() == 0
        assert float(block.attention.query.weight.std()) == pytest.approx(256**-0.5, rel=0.02)
        assert float(block.mlp.up.weight.std()) == pytest.approx(256**-0.5, rel=0.02)
    assert float(model.embedding.weight.std()) == pytest.approx(1, rel=0.02)


@torch.no_grad()
def test_gpt2_residual_projections_shrink_with_depth():
    model = Decoder(ModelConfig(**{**GPT2, "num_layers": 8, "hidden_size": 128, "vocab_size": 512}))
    block = model.blocks[0]
    assert float(block.attention.query.weight.std()) == pytest.approx(0.02, rel=0.02)
    assert float(block.mlp.down.weight.std()) == pytest.approx(0.02 / 4, rel=0.02)
    assert block.mlp.down.bias.abs().max() == 0
    assert torch.equal(block.attention_norm.weight, torch.ones(128))
