"""DPO, IPO and SimPO: the papers' formulas and TRL's own code, on random log-probabilities and on a network."""

import math
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.pairs import PairIds, Pairs, pair_batch
from linnet.by_hand.preference import dpo_loss
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.train.config import OptimizerConfig
from linnet.train.loop import steps
from linnet.train.optimizers import make_optimizer
from linnet.train.precision import Precision
from linnet.train.preference import (
    Preferring,
    logprobs_of,
    preference_objective,
    reference_table,
    still_copy,
    token_logprobs,
    without_dropout,
)
from linnet.train.state import TrainState

SMALL = ModelConfig(vocab_size=23, hidden_size=16, num_layers=2, num_heads=2, context_length=24)
FP32 = Precision(torch.float32, torch.device("cpu"))
NO_TRL = "TRL IS NOT INSTALLED: losses are not compared with its code"
ITEMS = [
    PairIds((1, 2, 3), (4, 5, 6, 7), (8, 9)),
    PairIds((3,), (9,), (4, 4, 4, 4, 4, 5)),
    PairIds((7, 7, 2, 1, 5), (6, 3, 2), (6, 3, 1)),
]
CHOICES = [
    Preferring("sigmoid", beta=0.1),
    Preferring("sigmoid", beta=0.7, label_smoothing=0.2),
    Preferring("ipo", beta=0.1),
    Preferring("ipo", beta=0.9),
    Preferring("simpo", beta=2.0, gamma=0.5),
    Preferring("simpo", beta=2.5, gamma=1.4),
]
NAMES = [f"{one.loss}-{one.beta}-{one.label_smoothing or one.gamma}" for one in CHOICES]


def network(seed=0):
    model = Decoder(SMALL)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=draw))
    return model


def random_logprobs(seed=0, pairs=9):
    """Return ln p of answers [4, B] (policy and reference of chosen and rejected) and their tokens [2, B]."""
    dice = np.random.default_rng(seed)
    return -dice.exponential(30, (4, pairs)), dice.integers(1, 40, (2, pairs))


def by_formula(choices, logs, sizes):
    """Return losses [B] and their derivatives by the four log-probabilities, as the papers write them, in float64."""
    (chosen, rejected, reference_chosen, reference_rejected), (long, short) = logs, sizes
    beta, smoothed = choices.beta, choices.label_smoothing

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    if choices.loss == "sigmoid":  # equation 7 of the DPO paper, and the gradient below it
        h = beta * (np.log(np.exp(chosen - reference_chosen)) - (rejected - reference_rejected))
        losses = -(1 - smoothed) * np.log(sigmoid(h)) - smoothed * np.log(sigmoid(-h))
        slope = -beta * ((1 - smoothed) * sigmoid(-h) - smoothed * sigmoid(h))
        return losses, np.stack([slope, -slope])
    if choices.loss == "ipo":  # equation 17 of the IPO paper, of a mean token
        h = (chosen - reference_chosen) / long - (rejected - reference_rejected) / short
        slope = 2 * (h - 1 / (2 * beta))
        return (h - 1 / (2 * beta)) ** 2, np.stack([slope / long, -slope / short])
    h = beta / long * chosen - beta / short * rejected - choices.gamma  # equation 6 of the SimPO paper
    return -np.log(sigmoid(h)), np.stack([-beta / long * sigmoid(-h), beta / short * sigmoid(-h)])


def ours(choices, logs, sizes):
    """Return losses [B] and their derivatives by the policy's log-probabilities [2, B]."""
    policy = torch.tensor(logs[:2], requires_grad=True)
    scores = policy - torch.tensor(logs[2:]) if choices.has_reference else policy
    losses = choices.losses(scores.flatten(), torch.tensor(sizes).flatten())
    losses.sum().backward()
    return losses.detach().numpy(), policy.grad.numpy()


@pytest.mark.parametrize("choices", CHOICES, ids=NAMES)
@pytest.mark.parametrize("seed", range(5))
def test_losses_and_gradients_are_the_papers(choices, seed):
    logs, sizes = random_logprobs(seed)
    for found, right in zip(ours(choices, logs, sizes), by_formula(choices, logs, sizes), strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-10, atol=1e-12)


def test_sigmoid_is_the_loss_by_hand():
    logs, sizes = random_logprobs(3)
    (total, count), back = dpo_loss(*logs, beta=0.3)
    losses, gradient = ours(Preferring("sigmoid", beta=0.3), logs, sizes)
    assert losses.sum() == pytest.approx(total, rel=1e-12)
    assert len(losses) == count
    np.testing.assert_allclose(gradient, np.stack(back()), rtol=1e-12)


def trl_dpo(choices, logs, sizes):
    """Return the mean loss and gradients of `DPOTrainer._compute_loss`, its real code, handed these log-probabilities.

    Its model is replaced by one that returns them spread over the answers' tokens.
    """
    trainer = pytest.importorskip("trl.trainer.dpo_trainer", reason=NO_TRL).DPOTrainer
    width = int(sizes.max()) + 1
    tokens = torch.tensor(sizes).flatten()
    mask = (torch.arange(width) > 0) & (torch.arange(width) <= tokens[:, None])  # the first token is prompt
    policy = torch.tensor(logs[:2], requires_grad=True)
    spread = (policy.flatten() / tokens)[:, None] * mask[:, 1:]

    def model(**_):
        empty = torch.zeros_like(spread).detach()
        return SimpleNamespace(log_probs=spread, entropy=empty, mean_logits=empty, is_top1=empty.bool())

    model.training = True
    reference_chosen, reference_rejected = torch.tensor(logs[2:])
    bare = SimpleNamespace(
        model=SimpleNamespace(training=True), accelerator=SimpleNamespace(
            device="cpu", gather=lambda x: x, gather_for_metrics=lambda x: x),
        aux_loss_enabled=False, ld_alpha=None, precompute_ref_logps=True, f_divergence_type="reverse_kl",
        loss_types=[choices.loss], loss_weights=[1.0], beta=choices.beta, label_smoothing=choices.label_smoothing,
        use_weighting=False, _metrics={"train": defaultdict(list)}, _total_train_tokens=0, _tp_size=1,
    )  # fmt: skip
    inputs = {
        "input_ids": torch.zeros(mask.shape, dtype=torch.int64), "attention_mask": torch.ones(mask.shape),
        "completion_mask": mask.long(), "ref_chosen_logps": reference_chosen, "ref_rejected_logps": reference_rejected,
    }  # fmt: skip
    loss = trainer._compute_loss(bare, model, inputs, return_outputs=False)
    loss.backward()
    return loss.item(), policy.grad.numpy(), bare._metrics["train"]


def trl_cpo(choices, kind, chosen, rejected):
    """Return the mean loss and gradients of TRL's `CPOTrainer.cpo_loss` (SimPO is one of its losses)."""
    trainer = pytest.importorskip("trl.experimental.cpo.cpo_trainer", reason=NO_TRL).CPOTrainer
    sides = [torch.tensor(side, requires_grad=True) for side in (chosen, rejected)]
    bare = SimpleNamespace(
        alpha=0.0, accelerator=SimpleNamespace(device="cpu"), loss_type=kind, simpo_gamma=choices.gamma,
        beta=choices.beta, label_smoothing=choices.label_smoothing,
    )  # fmt: skip
    losses, *_ = trainer.cpo_loss(bare, *sides)
    losses.mean().backward()
    return losses.mean().item(), np.stack([side.grad.numpy() for side in sides])


@pytest.mark.slow  # importing TRL takes half a minute on a busy machine
@pytest.mark.parametrize("choices", CHOICES, ids=NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_losses_and_gradients_are_trl_s(choices, seed):
    logs, sizes = random_logprobs(seed)
    losses, gradient = ours(choices, logs, sizes)
    pairs = len(losses)
    if choices.loss == "simpo":
        found, slopes = trl_cpo(choices, "simpo", *(logs[:2] / sizes))
        slopes = slopes / sizes
    elif choices.label_smoothing:  # TRL 1.16 has it in this function only
        found, slopes = trl_cpo(choices, "sigmoid", *(logs[:2] - logs[2:]))
    else:
        found, slopes, metrics = trl_dpo(choices, logs, sizes)
        rewards = choices.rewards(torch.tensor(logs[:2] - logs[2:]).flatten(), torch.tensor(sizes).flatten())
        assert metrics["rewards/margins"][0] == pytest.approx(float(rewards[:pairs].mean() - rewards[pairs:].mean()))
        assert metrics["rewards/accuracies"][0] == pytest.approx(
            float((rewards[:pairs] > rewards[pairs:]).float().mean())
        )
    assert found == pytest.approx(losses.mean(), rel=1e-9)
    np.testing.assert_allclose(slopes, gradient / pairs, rtol=1e-9, atol=1e-12)


def test_logprobs_are_those_of_the_learned_tokens_alone():
    model, batch = network(), pair_batch(ITEMS, pad_id=0)
    found = token_logprobs(model, batch.rows)
    for row, item in enumerate(ITEMS):
        for side, answer in enumerate((item.chosen, item.rejected)):
            ids = torch.tensor([[*item.prompt, *answer]])
            logs = model(ids)[0].detach().double().log_softmax(-1)
            right = sum(float(logs[len(item.prompt) + n - 1, id]) for n, id in enumerate(answer))
            assert float(found[row + side * len(ITEMS)].sum()) == pytest.approx(right, abs=1e-4)
    assert bool((found[batch.rows.targets == IGNORE] == 0).all())
    assert not torch.allclose(token_logprobs(model, batch.rows, temperature=2.0), found)


def test_padding_and_company_change_nothing():
    model, objective = network(), preference_objective(Preferring("simpo", beta=2.0, gamma=0.5))
    together = objective(model, pair_batch(ITEMS, pad_id=0))
    other_pad = objective(model, pair_batch(ITEMS, pad_id=9, mark=True))
    alone = [objective(model, pair_batch([item], pad_id=0)) for item in ITEMS]
    assert float(other_pad.total.detach()) == pytest.approx(float(together.total.detach()), abs=1e-5)
    assert sum(float(one.total.detach()) for one in alone) == pytest.approx(float(together.total.detach()), abs=1e-5)
    for name in together.numbers:
        assert sum(float(one.numbers[name]) for one in alone) == pytest.approx(float(together.numbers[name]), abs=1e-4)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("smoothed", [0.0, 0.1])
def test_policy_equal_to_reference_is_ln_2_and_both_answers_get_gradient(kept, smoothed):
    model = network()
    reference = logprobs_of(still_copy(model), FP32)
    pairs = Pairs(ITEMS, 3, seed=0, pad_id=0)
    if kept:
        pairs.reference = reference_table(reference, pairs, range(3), batch_size=2)
    batch = pairs.batch(0)
    assert (batch.reference is not None) is kept
    preferring = Preferring("sigmoid", beta=0.5, label_smoothing=smoothed)
    loss = preference_objective(preferring, reference)(model, batch)
    assert float(loss.total.detach() / loss.count) == pytest.approx(math.log(2), abs=1e-5)
    loss.total.backward()
    # A small step against the gradient moves the chosen answers up and the rejected ones down.
    before = token_logprobs(model, batch.rows).sum(1).detach()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.sub_(1e-3 * parameter.grad)
    after = token_logprobs(model, batch.rows).sum(1).detach()
    assert float((after - before)[:3].mean()) > 0
    assert float((after - before)[3:].mean()) < 0


def test_a_missing_reference_is_refused():
    with pytest.raises(ValueError, match="needs one"):
        preference_objective(Preferring("sigmoid"))(network(), pair_batch(ITEMS, pad_id=0))


def test_kept_reference_is_that_of_every_step():
    model = network()
    reference = logprobs_of(still_copy(model), FP32)
    pairs = Pairs(ITEMS, 2, seed=0, pad_id=0)
    table = reference_table(reference, pairs, [0, 2], batch_size=1)
    assert bool(torch.isnan(table[1]).all())
    rows = reference(pair_batch(ITEMS, pad_id=0).rows).sum(1).view(2, 3).T
    torch.testing.assert_close(table[[0, 2]], rows[[0, 2]], atol=1e-4, rtol=0)
    again = reference_table(reference, pairs, [2, 0], batch_size=1)
    assert torch.equal(table[[0, 2]], again[[0, 2]])


def test_the_reference_stays_and_asking_it_leaves_the_mode_alone():
    model = network().train()
    still = still_copy(model)
    asked, own = logprobs_of(still, FP32), logprobs_of(model, FP32)
    rows: Batch = pair_batch(ITEMS, pad_id=0).rows
    before = asked(rows)
    assert torch.equal(before, own(rows))
    assert model.training
    with torch.no_grad():
        model.head.weight.add_(1.0 + model.head.weight)
    assert torch.equal(asked(rows), before)
    assert not torch.equal(own(rows), before)
    assert not any(parameter.requires_grad for parameter in still.parameters())


def test_dropout_is_taken_out_and_the_weights_stay():
    model = Decoder(SMALL.but(dropout=0.3))
    torch.nn.init.normal_(model.head.weight)
    still = without_dropout(model).train()
    rows = pair_batch(ITEMS, pad_id=0).rows
    assert torch.equal(token_logprobs(still, rows), token_logprobs(model.eval(), rows))
    assert still.config == SMALL
    assert without_dropout(still) is still


def test_the_plain_loss_of_the_chosen_answer_can_be_added():
    model, batch = network(), pair_batch(ITEMS, pad_id=0)
    policy = token_logprobs(model, batch.rows).sum(1)[: len(ITEMS)]
    sizes = torch.tensor([len(item.chosen) for item in ITEMS])
    preferring = Preferring("simpo", beta=2.0, gamma=0.5)
    plain, more = (preference_objective(preferring, chosen_weight=weight)(model, batch) for weight in (0.0, 0.7))
    assert float(more.total - plain.total) == pytest.approx(-0.7 * float((policy / sizes).sum()), rel=1e-5)
    assert float(more.numbers["loss"]) == pytest.approx(float(more.total))


@pytest.mark.parametrize(
    "choices",
    [CHOICES[0], *(pytest.param(one, marks=pytest.mark.slow) for one in CHOICES[2:5:2])],
    ids=lambda one: one.loss,
)
def test_training_prefers_the_chosen_and_a_split_batch_is_the_whole(choices):
    def trained(size, accumulate):
        model = network()
        pairs = Pairs(ITEMS, size, seed=0, pad_id=0)
        optimizer = make_optimizer(model, OptimizerConfig(kind="adamw", lr=0.006, epsilon=1e-3))
        objective = preference_objective(choices, logprobs_of(still_copy(model), FP32))
        state = TrainState(model, optimizer, pairs, FP32)
        lines = [step.numbers for step in steps(state, objective, lambda _: 1.0, 12, accumulate)]
        return lines, model

    lines, whole = trained(3, 1)
    assert lines[-1]["accuracy"] == 1.0
    assert lines[-1]["margin"] > lines[0]["margin"]
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert lines[0]["chosen_tokens"] == pytest.approx(8 / 3)
    assert lines[0]["rejected_tokens"] == pytest.approx(11 / 3)
    _, cut = trained(1, 3)
    for a, b in zip(whole.parameters(), cut.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)
