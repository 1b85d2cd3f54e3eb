"""Objectives: the loss is the cross-entropy at t + 1 over exactly the learned targets."""

import math

import torch

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.labelled import LabelledBatch
from linnet.batches.source_target import SourceTargetBatch
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.train.objectives import (
    classification,
    distillation,
    masked_token,
    next_token,
    next_token_objective,
    source_to_target,
)
from tests.model.two_sided import ENCODERS, TWO_SIDES, made, some_ids
from tests.train.batches_for_tests import Counted

ONE = {"encoder_decoder": TWO_SIDES["sinusoidal"], "encoder": ENCODERS["ours"]}
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


def random_decoder(seed):
    model = Decoder(SMALL)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)) * 0.4)
    return model


def test_distillation_is_the_formula_of_hinton_written_out():
    model, teacher, batch = random_decoder(1), random_decoder(2), Counted(ragged=True).next()
    temperature, hard = 3.0, 0.25
    found = distillation(model, batch, teacher, temperature, hard)
    divergence = entropy = 0.0
    with torch.no_grad():
        logits, wanted = model(batch.ids).double(), teacher(batch.ids).double()
    for row, place in (batch.targets != IGNORE).nonzero().tolist():
        p, q = ((x[row, place] / temperature).softmax(-1) for x in (wanted, logits))
        divergence += float((p * (p.log() - q.log())).sum()) * temperature**2
        entropy -= float(logits[row, place].log_softmax(-1)[batch.targets[row, place]])
    assert int(found.count) == int((batch.targets != IGNORE).sum()) < batch.targets.numel()
    assert math.isclose(float(found.total.detach()), 0.75 * divergence + 0.25 * entropy, rel_tol=1e-4)
    assert math.isclose(float(found.numbers["divergence"]), divergence, rel_tol=1e-4)
    assert math.isclose(float(found.numbers["cross_entropy"]), entropy, rel_tol=1e-4)


def test_nothing_is_left_to_learn_from_a_teacher_that_one_equals():
    model, batch = random_decoder(1), Counted().next()
    found = distillation(model, batch, random_decoder(1), 2.0, 0.0)
    assert abs(float(found.total.detach())) < 1e-4
    found.total.backward()
    assert all(float(p.grad.abs().max()) < 1e-4 for p in model.parameters() if p.grad is not None)


def test_all_hard_is_the_plain_loss_and_the_teacher_gets_no_gradient():
    model, teacher, batch = random_decoder(1), random_decoder(2), Counted(ragged=True).next()
    found = distillation(model, batch, teacher, 2.0, 1.0)
    assert math.isclose(float(found.total), float(next_token(model, batch).total), rel_tol=1e-5)
    distillation(model, batch, teacher, 2.0, 0.5).total.backward()
    assert all(p.grad is None for p in teacher.parameters())
    assert all(p.grad is not None for p in model.parameters())


def test_the_temperature_hardly_changes_the_size_of_the_gradient():
    """Hinton et al.: T^2 makes up for gradients that shrink as 1 / T^2."""
    sizes = []
    for temperature in (5.0, 10.0, 20.0):
        model, batch = random_decoder(1), Counted().next()
        distillation(model, batch, random_decoder(2), temperature, 0.0).total.backward()
        sizes.append(float(model.head.weight.grad.norm()))
    assert max(sizes) / min(sizes) < 1.5


def test_sources_and_targets_hidden_tokens_and_labels_by_hand():
    two, encoder = (made(kind, **ONE[kind]) for kind in ("encoder_decoder", "encoder"))
    ids = some_ids(3, 6)
    target = Batch(ids, torch.where(ids % 3 == 0, IGNORE, ids.roll(-1, 1)))
    pairs = SourceTargetBatch(some_ids(3, 5, 1), torch.tensor([5, 2, 3]), target)
    rows = LabelledBatch(ids, torch.tensor([6, 2, 4]), torch.tensor([0, 2, 1]))
    classes = made("decoder", **ONE["encoder"], output_size=3, pooling="last")
    with torch.no_grad():
        logits = {
            "pairs": two(pairs.source, ids, source_lengths=pairs.source_lengths),
            "hidden": encoder(ids),
            "labels": classes(ids)[range(3), [5, 1, 3]],
        }
        found = {
            "pairs": source_to_target(two, pairs),
            "hidden": masked_token(encoder, target),
            "labels": classification(classes, rows),
        }
    for name, loss in found.items():
        wanted = rows.labels if name == "labels" else target.targets
        learned = wanted != IGNORE
        chances = logits[name].log_softmax(-1)[learned]
        torch.testing.assert_close(loss.total, -chances[range(len(chances)), wanted[learned]].sum())
        assert int(loss.count) == int(learned.sum())
        assert int(loss.numbers["accuracy"]) == int((chances.argmax(-1) == wanted[learned]).sum())


def test_smoothed_labels_are_spread_over_all_ids():
    two, ids = made("encoder_decoder", **ONE["encoder_decoder"]), some_ids(2, 6)
    pairs = SourceTargetBatch(some_ids(2, 5, 1), torch.tensor([5, 5]), Batch(ids, ids.roll(-1, 1)))
    plain, smooth = (source_to_target(two, pairs, label_smoothing=share) for share in (0.0, 0.2))
    chances = two(pairs.source, ids).log_softmax(-1)
    right = -chances.gather(-1, pairs.target.targets[..., None]).sum()
    torch.testing.assert_close(plain.total, right)
    torch.testing.assert_close(smooth.total, 0.8 * right - 0.2 * chances.mean(-1).sum())
    torch.testing.assert_close(smooth.numbers["cross_entropy"], right.detach())
