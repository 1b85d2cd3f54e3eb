"""Optimizers: groups hold each weight once, Muon equals a plain version, its moves are nearly orthogonal."""

import torch

from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.network import build
from linnet.train.config import OptimizerConfig
from linnet.train.optimizers import Muon, make_optimizer, orthogonalise

SMALL = ModelConfig(vocab_size=17, hidden_size=16, num_layers=2, num_heads=2, context_length=8, ngram_buckets=64)


def names_of(model, group):
    known = {id(p): name for name, p in model.named_parameters()}
    return {known[id(p)] for p in group["params"]}


def test_every_weight_is_in_exactly_one_group():
    for config in (SMALL, SMALL.but(tie_embeddings=True), SMALL.but(positions="learned", mlp_bias=True)):
        model = Decoder(config)
        for kind in ("muon", "adamw"):
            groups = make_optimizer(model, OptimizerConfig(kind=kind)).groups()
            seen = [id(p) for group in groups for p in group["params"]]
            assert sorted(seen) == sorted(id(p) for p in model.parameters())


def test_muon_takes_the_matrices_of_blocks_and_adamw_the_rest():
    model = Decoder(SMALL)
    matrices, tables, head, rest = make_optimizer(model, OptimizerConfig()).groups()
    assert "blocks.0.attention.query.weight" in names_of(model, matrices)
    assert all("embedding" in name or "ngrams" in name for name in names_of(model, tables))
    assert names_of(model, head) == {"head.weight"}
    assert all("mix" in name or "gate" in name for name in names_of(model, rest))


def test_the_gate_of_swiglu_is_a_matrix_as_any_other_and_that_of_value_embeddings_is_not():
    model = Decoder(SMALL.but(activation="swiglu", num_experts=2, moe_every=2))
    matrices, _, _, rest = make_optimizer(model, OptimizerConfig()).groups()
    gates = {name for name in names_of(model, matrices) if "gate" in name}
    assert gates == {"blocks.0.mlp.gate.weight", *(f"blocks.1.mlp.experts.{i}.gate.weight" for i in range(2))}
    assert {name for name in names_of(model, rest) if "gate" in name} == {"blocks.1.attention.value_gate.weight"}


def test_adamw_decays_matrices_and_nothing_else():
    model = Decoder(SMALL.but(norm_gain=True, attention_bias=True))
    decayed, plain = make_optimizer(model, OptimizerConfig(kind="adamw", weight_decay=0.3)).groups()
    assert decayed["weight_decay"] == 0.3
    assert plain["weight_decay"] == 0.0
    assert all(p.ndim == 2 for p in decayed["params"])
    assert any(name.endswith("norm.weight") for name in names_of(model, plain))
    assert any(name.endswith("bias") for name in names_of(model, plain))


def test_frozen_weights_are_left_out():
    model = Decoder(SMALL)
    model.embedding.weight.requires_grad_(False)
    groups = make_optimizer(model, OptimizerConfig()).groups()
    assert id(model.embedding.weight) not in {id(p) for group in groups for p in group["params"]}


def test_orthogonalise_brings_singular_values_near_one():
    generator = torch.Generator().manual_seed(0)
    for rows, columns in ((32, 32), (16, 64), (64, 16)):
        moves = orthogonalise(torch.randn(3, rows, columns, generator=generator))
        values = torch.linalg.svdvals(moves.float())
        assert values.min() > 0.5
        assert values.max() < 1.3


def test_orthogonalise_keeps_singular_vectors():
    matrix = torch.randn(24, 24, generator=torch.Generator().manual_seed(1))
    u, _, v = torch.linalg.svd(matrix)
    core = u.T @ orthogonalise(matrix[None])[0].float() @ v.T
    assert (core - torch.diag(core.diagonal())).abs().max() < 0.15  # bf16


def test_muon_in_stacks_equals_one_matrix_at_a_time():
    generator = torch.Generator().manual_seed(2)
    start = [torch.randn(12, 8, generator=generator) for _ in range(3)]
    gradients = [[torch.randn(12, 8, generator=generator) for _ in range(3)] for _ in range(4)]
    together = [torch.nn.Parameter(w.clone()) for w in start]
    optimizer = Muon(together, lr=0.1, momentum=0.9, weight_decay=0.2)
    for step in gradients:
        for parameter, gradient in zip(together, step, strict=True):
            parameter.grad = gradient.clone()
        optimizer.step()
    for index, weight in enumerate(start):
        momentum = torch.zeros_like(weight)
        for step in gradients:
            momentum = 0.9 * momentum + 0.1 * step[index]
            ahead = 0.1 * step[index] + 0.9 * momentum
            move = orthogonalise(ahead[None])[0].float() * (12 / 8) ** 0.5
            weight = weight * (1 - 0.1 * 0.2) - 0.1 * move
        torch.testing.assert_close(together[index].detach(), weight, atol=2e-3, rtol=1e-3)


def test_set_lr_scales_every_group_from_its_own_peak():
    optimizer = make_optimizer(Decoder(SMALL), OptimizerConfig())
    peaks = [group["lr"] for group in optimizer.groups()]
    optimizer.set_lr(0.5)
    optimizer.set_lr(0.25)
    assert [group["lr"] for group in optimizer.groups()] == [peak * 0.25 for peak in peaks]


def test_heads_of_both_kinds_and_a_bias_by_distance_have_rates_of_their_own():
    config = SMALL.but(kind="encoder_decoder", ngram_buckets=0, positions="relative")
    model = build(config)
    muon = make_optimizer(model, OptimizerConfig(matrix_lr=0.5, lr=0.1, embedding_lr=0.2, head_lr=0.3))
    rate = {name: group["lr"] for group in muon.groups() for name in names_of(model, group)}
    assert rate["decoder.head.weight"] == 0.3
    assert rate["encoder.embedding.weight"] == 0.2
    assert rate["encoder.relative.table.weight"] == rate["decoder.relative.table.weight"] == 0.1
    assert rate["decoder.blocks.0.cross.key.weight"] == 0.5
    assert rate.keys() == {name for name, _ in model.named_parameters()}
