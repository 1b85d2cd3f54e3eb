"""What invariants measure with."""

import contextlib
import math
from dataclasses import replace

import pytest
import torch

from linnet.model.decoder import Decoder
from linnet.prove.measuring import (
    all_learned,
    apart,
    awake,
    cross_entropy,
    equal_logits,
    gradients,
    largest,
    losses_of,
    mean_loss,
    noise,
    other_ids,
    past_the_window,
    precision,
    ragged_lengths,
    random_ids,
    shaken,
    split_rows,
    tolerance,
)
from linnet.prove.ours import decoder_subject
from linnet.prove.parts import Rows
from tests.prove.subjects import reading, subject


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


def test_random_rows_fit_the_subject_and_others_differ_everywhere():
    one = subject()
    ids = random_ids(one, dice(), 3)
    assert ids.shape == (3, 16)
    assert int(ids.max()) < one.vocab_size
    assert random_ids(replace(one, longest=5), dice(), 1, 9).shape == (1, 5)
    assert bool((other_ids(one, ids, dice()) != ids).all())
    assert ragged_lengths(16, 5).tolist() == [16, 12, 8, 5, 1]
    assert past_the_window(one) == 16
    assert past_the_window(reading(one, window=30)) == 38
    assert past_the_window(reading(one, window=3000)) == one.longest


def test_apart_and_largest_are_infinite_for_what_is_no_number():
    a = torch.zeros(2)
    assert apart(a, a + 0.5) == 0.5
    assert apart(a, torch.zeros(3)) == math.inf
    assert apart(a, torch.tensor([0.0, math.nan])) == math.inf
    assert largest(torch.tensor([-3.0, 2.0])) == 3
    assert largest(torch.tensor([math.nan])) == math.inf


def test_equal_logits_allows_rounding_and_no_more():
    one = subject()
    logits = torch.randn(1, 2, 3, generator=dice())
    assert equal_logits(one, logits * (1 + 1e-6), logits, "x").status == "held"
    assert equal_logits(one, logits * (1 + 1e-3), logits, "x").status == "broken"
    assert equal_logits(one, logits[:, :1], logits, "x").status == "broken"
    assert equal_logits(one, logits * math.nan, logits, "x").status == "broken"
    assert equal_logits(one, logits * math.nan, logits * math.nan, "x").status == "broken"
    assert tolerance(one, logits) > noise(one, logits) > 0


def test_the_coarsest_type_decides():
    one = subject()
    assert precision(one) == torch.float32
    one.model.head.to(torch.bfloat16)
    assert precision(one) == torch.bfloat16


def test_losses_are_those_of_the_next_token():
    one = subject()
    rows = all_learned(random_ids(one, dice(), 2))
    assert not rows.learned[:, 0].any()
    logits = one.logits(rows.ids)
    by_hand = -logits[1, 4].double().log_softmax(-1)[rows.ids[1, 5]]
    only = torch.zeros_like(rows.learned)
    only[1, 5] = True
    assert cross_entropy(logits, Rows(rows.ids, only)).item() == pytest.approx(by_hand.item())
    assert losses_of(one, Rows(rows.ids, only)).item() == pytest.approx(by_hand.item(), rel=1e-5)
    assert mean_loss(one, rows).item() == pytest.approx(mean_loss(replace(one, loss=None), rows).item(), rel=1e-5)


def test_gradients_are_none_where_they_do_not_reach():
    one = subject()
    one.model.embedding.weight.requires_grad_(False)
    found = gradients(one.model.head.weight.sum(), one.model)
    assert "embedding.weight" not in found
    assert found["head.weight"].unique().tolist() == [1]
    assert found["blocks.0.mlp.up.weight"] is None
    assert set(gradients(torch.ones(()), one.model).values()) == {None}


def test_shaken_weights_come_back_to_the_bit():
    model = subject().model
    model.embedding.weight.requires_grad_(False)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    with shaken(model, dice()):
        assert all(bool((parameter != before[name]).all()) for name, parameter in model.named_parameters())
    with shaken(model, dice(), only_trainable=True):
        assert torch.equal(model.embedding.weight, before["embedding.weight"])
        assert not torch.equal(model.head.weight, before["head.weight"])
    with contextlib.suppress(KeyError), shaken(model, dice()):
        raise KeyError
    assert all(torch.equal(parameter, before[name]) for name, parameter in model.named_parameters())


def test_only_silent_networks_are_woken():
    loud = subject()
    with awake(loud, dice()) as said:
        assert said == ""
    silent = decoder_subject(Decoder(loud.model.config.but(embedding_norm=True)), "new")  # zero output projections
    ids = random_ids(silent, dice(), 1)
    quiet = silent.logits(ids)
    with awake(silent, dice()) as said:
        assert "shaken" in said
        assert apart(silent.logits(ids), quiet) > 0.1
    assert apart(silent.logits(ids), quiet) == 0


def test_rows_are_cut_into_batches():
    parts = split_rows(all_learned(torch.arange(12).view(6, 2)), [1, 2, 3])
    assert [len(part.ids) for part in parts] == [1, 2, 3]
    assert parts[1].ids.tolist() == [[2, 3], [4, 5]]
