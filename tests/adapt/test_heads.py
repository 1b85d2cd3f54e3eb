"""A new head on a trained trunk: everything below it is the same, and the two networks share nothing."""

import pytest
import torch

from linnet.adapt.heads import with_head, with_score
from tests.infer.networks import network
from tests.model.two_sided import ENCODERS, made

IDS = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])


@pytest.mark.parametrize("tied", [False, True])
def test_the_trunk_is_copied_and_the_head_is_new(tied):
    model = network(ngram_buckets=16, num_experts=2, tie_embeddings=tied)
    made = with_head(model, 3, torch.Generator().manual_seed(1))
    assert made(IDS).shape == (1, 8, 3)
    assert made.config == model.config.but(output_size=3, tie_embeddings=False)
    seen: dict[str, torch.Tensor] = {}
    for name, net in (("before", model), ("after", made)):
        net.norm.register_forward_hook(lambda _, __, out, name=name: seen.__setitem__(name, out.clone()))
        net(IDS)
    assert torch.equal(seen["before"], seen["after"])
    before = model(IDS).clone()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
    assert torch.equal(model(IDS), before)


@pytest.mark.parametrize("choices", [{}, {"tie_embeddings": True}, {"head_bias": True}])
@torch.no_grad()
def test_a_score_stands_beside_the_words_and_begins_at_nothing(choices):
    model = network(**choices)
    if model.head.bias is not None:
        model.head.bias.normal_()
    judge = with_score(model)
    assert judge.config.judges
    assert torch.equal(judge(IDS)[..., :-1], model(IDS))
    assert judge(IDS)[..., -1].abs().max() == 0
    before = model(IDS).clone()
    for parameter in judge.parameters():
        parameter.zero_()
    assert torch.equal(model(IDS), before)


def test_the_head_is_drawn_from_the_generator_and_modes_are_kept():
    model = network().train()
    heads = [with_head(model, 1, torch.Generator().manual_seed(seed)).head.weight for seed in (1, 1, 2)]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
    assert with_head(model, 1).training
    assert not with_head(model.eval(), 1).training


def test_a_verifiers_trunk_can_be_a_language_model_again():
    model = with_head(with_head(network(), 1), None)
    assert model(IDS).shape == (1, 8, 23)


@torch.no_grad()
def test_an_encoders_layer_before_the_head_is_made_anew():
    model = made("encoder", **ENCODERS["bert"])
    rows = with_head(model, 2, torch.Generator().manual_seed(1), pooling="first")
    assert (rows.config.head_layer, rows.config.pooling, rows.config.tie_embeddings) == ("tanh", "first", False)
    assert rows(IDS).shape == (1, 8, 2)
    tokens = with_head(model, 5)
    assert (tokens.config.head_layer, tokens.config.pooling) == ("none", "none")
    assert torch.equal(tokens.both_ways(IDS), model.both_ways(IDS))
    assert torch.equal(rows.both_ways(IDS), model.both_ways(IDS))


def test_scores_of_tokens_on_an_encoder_learn_as_a_verifiers():
    """A token-scoring head reads both ways; padding is marked, and is neither seen nor judged."""
    from linnet.batches.judged import JudgedIds, judged_batch
    from linnet.train.correctness import correctness

    scorer = with_head(made("encoder", **ENCODERS["ours"]), 1, torch.Generator().manual_seed(1))
    items = [JudgedIds((3, 4, 5), (6, 7), True), JudgedIds((3,), (8, 9, 2), False), JudgedIds((4, 4), (1,), True)]
    together = correctness(scorer, judged_batch(items, 0, mark=True))
    alone = [correctness(scorer, judged_batch([item], 0, mark=True)) for item in items]
    assert int(together.count) == 6
    torch.testing.assert_close(together.total, sum(one.total for one in alone), rtol=1e-5, atol=1e-5)
    together.total.backward()
    assert bool(scorer.embedding.weight.grad[8].any())
