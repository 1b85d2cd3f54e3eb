"""Objectives: the loss is the cross-entropy at t + 1 over exactly the learned targets."""

import math

import torch

from linnet.batches.batch import IGNORE
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.train.objectives import next_token, next_token_objective
from tests.train.batches_for_tests import Counted

SMALL = ModelConfig(vocab_size=17, hidden_size=16, num_layers=2, num_heads=2, context_length=8)


def test_equals_a_sum_written_out_over_learned_targets():
    model, batch = Decoder(SMALL), Counted(ragged=True).next()
    torch.nn.init.normal_(model.head.weight)
    with torch.no_grad():
        loss = next_token(model, batch)
    logits, total, count = model(batch.ids).detach(), 0.0, 0
    for row in range(4):
        for place in range(8):
            target = int(batch.targets[row, place])
            if target != IGNORE:
                line = logits[row, place].double()
                total += float(line.exp().sum().log() - line[target])
                count += 1
    assert int(loss.count) == count
    assert count < 32
    assert abs(float(loss.total) - total) < 1e-3


def test_loss_at_the_start_is_ln_v():
    with torch.no_grad():
        loss = next_token(Decoder(SMALL), Counted().next())
    assert abs(float(loss.total) / float(loss.count) - math.log(17)) < 0.02 * math.log(17)


def test_hidden_targets_change_neither_loss_nor_gradient():
    model, batch = Decoder(SMALL), Counted(ragged=True).next()
    torch.nn.init.normal_(model.head.weight)
    next_token(model, batch).total.backward()
    before = model.head.weight.grad.clone()
    hidden = batch.targets == IGNORE
    # A token after the last learned target of its row is only ever read by hidden places.
    ids = torch.where(hidden & (torch.cumsum(~hidden, 1) == (~hidden).sum(1, keepdim=True)), 3, batch.ids)
    model.zero_grad()
    next_token(model, type(batch)(ids, batch.targets)).total.backward()
    torch.testing.assert_close(model.head.weight.grad, before)


def test_balance_loss_joins_once_for_each_target():
    model, batch = Decoder(SMALL.but(num_experts=4, experts_per_token=1)), Counted().next()
    plain = next_token(model, batch)
    weighted = next_token(model, batch, balance_weight=0.5)
    balance = torch.stack([mixture.balance_loss for mixture in model.mixtures()]).mean()
    assert abs(float((weighted.total - plain.total).detach() / plain.count - 0.5 * balance.detach())) < 1e-5
    weighted.total.backward()
    assert all(mixture.router.weight.grad.abs().sum() > 0 for mixture in model.mixtures())


def test_objective_without_compiling_is_next_token():
    model, batch = Decoder(SMALL), Counted().next()
    assert torch.equal(next_token_objective()(model, batch).total, next_token(model, batch).total)
