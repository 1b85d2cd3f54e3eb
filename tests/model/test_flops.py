"""The count of arithmetic equals the weights that are there, and what torch's own counter finds."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.flops import matmul_parameters, training_flops_per_token

BASE = ModelConfig(vocab_size=64, hidden_size=32, num_layers=3, num_heads=4, num_kv_heads=2, context_length=16)
VARIANTS = [
    BASE,
    BASE.but(activation="swiglu", mlp_size=48),
    BASE.but(head_size=16, num_kv_heads=1),
    BASE.but(num_experts=4, experts_per_token=1, moe_every=2),
]


@pytest.mark.parametrize("config", VARIANTS[:3])
def test_matmul_parameters_are_the_matrices_of_blocks_and_head(config):
    model = Decoder(config)
    names = [n for n, _ in model.named_parameters() if ("blocks" in n or n == "head.weight") and "value_gate" not in n]
    assert matmul_parameters(config) == sum(p.numel() for n in names if (p := model.get_parameter(n)).ndim == 2)


@pytest.mark.parametrize("config", VARIANTS)
def test_flops_equal_the_counter_of_torch(config):
    # Sink logits take the plain attention: the counter does not know the CPU kernel of the fused one.
    config = config.but(value_embedding_every=0, qk_norm=False, sink_logits=True)
    model = Decoder(config).eval()
    ids = torch.randint(64, (1, 16), generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(ids)
    # Forward is a third of training: 2 of 6 for each weight, 4 of 12 for attention.
    assert counter.get_total_flops() == pytest.approx(16 * training_flops_per_token(config, 16) / 3, rel=0.01)


def test_a_window_costs_less():
    assert training_flops_per_token(BASE.but(window=4), 16) < training_flops_per_token(BASE, 16)
