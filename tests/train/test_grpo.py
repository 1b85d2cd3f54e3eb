"""GRPO: its formula written out in float64, TRL's own code, and the plain policy gradient."""

from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from linnet.batches.batch import IGNORE
from linnet.batches.padding import pad
from linnet.batches.rollouts import RolloutBatch, group_advantages
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.train.config import OptimizerConfig
from linnet.train.grpo import clipped_losses, grpo_objective, kl_estimates
from linnet.train.loop import steps
from linnet.train.objectives import next_token
from linnet.train.optimizers import make_optimizer
from linnet.train.precision import Precision
from linnet.train.preference import token_logprobs
from linnet.train.state import TrainState

SMALL = ModelConfig(vocab_size=19, hidden_size=16, num_layers=1, num_heads=2, context_length=24)
GROUP, LONGEST = 3, 8
NO_TRL = "TRL IS NOT INSTALLED: the loss is not compared with its code"
REWARDS = torch.tensor([1.0, 0.0, 0.5, 0.0, 0.0, 1.0])


def network(seed=0):
    model = Decoder(SMALL)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=draw))
    return model


def rollouts(old=False, reference=False, rewards=REWARDS, scaled=False):
    dice = torch.Generator().manual_seed(1)
    rows = []
    for reply in range(6):
        prompt, size = [1, 2 + reply // GROUP, 3], 2 + (5 * reply) % 7
        ids = prompt + torch.randint(19, (size,), generator=dice).tolist()
        rows.append((ids, [False] * 3 + [True] * size))
    rows[4][1][4] = False  # what a calculator has put in is not learned
    batch = pad(rows, pad_id=0)
    learned = batch.targets != IGNORE
    base = token_logprobs(network(), batch).detach()

    def near(scale):
        return base + scale * torch.randn(base.shape, generator=dice) * learned

    return RolloutBatch(
        batch, rewards, group_advantages(rewards.double(), GROUP, scaled), GROUP, torch.ones(6).bool(),
        near(0.4) if old else None, near(0.5) if reference else None,
    )  # fmt: skip


def by_formula(logprobs, batch, averaging, low, high, weight):
    """Return (loss, dloss/dlogprobs) of a batch, token by token, in float64; the mean over replies or over tokens."""
    learned = (batch.rows.targets != IGNORE).numpy()
    logprobs = logprobs.double().numpy()
    old = logprobs if batch.old is None else batch.old.double().numpy()
    total, gradient = 0.0, np.zeros_like(logprobs)
    for i, row in enumerate(learned):
        share = {
            "reply": 1 / row.sum() / len(learned),
            "token": 1 / learned.sum(),
            "constant": 1 / LONGEST / len(learned),
        }
        for t in np.flatnonzero(row):
            ratio, a = np.exp(logprobs[i, t] - old[i, t]), float(batch.advantages[i])
            free, bound = ratio * a, min(max(ratio, 1 - low), 1 + high) * a
            loss, slope = (-free, -free) if free <= bound else (-bound, 0.0)
            if batch.reference is not None:
                d = float(batch.reference[i, t]) - logprobs[i, t]
                loss, slope = loss + weight * (np.exp(d) - d - 1), slope + weight * (1 - np.exp(d))
            total += share[averaging] * loss
            gradient[i, t] = share[averaging] * slope
    return total, gradient


def ours(logprobs, batch, averaging, low, high, weight, monkeypatch):
    """Return the same by the objective, whose reading of the network is replaced by these log-probabilities."""
    from linnet.train import grpo

    leaf = logprobs.double().clone().requires_grad_()
    monkeypatch.setattr(grpo, "_read", lambda *_: (leaf, torch.zeros_like(leaf).detach()))
    objective = grpo_objective(averaging, longest=LONGEST, clip_low=low, clip_high=high, kl_weight=weight)
    loss = objective(network(), batch)
    mean = loss.total / loss.count
    mean.backward()
    return mean.item(), leaf.grad.numpy()


CASES = [(averaging, old, reference) for averaging in ("reply", "token", "constant") for old, reference in
         ((False, False), (True, False), (True, True))]  # fmt: skip


@pytest.mark.parametrize(("averaging", "old", "reference"), CASES)
def test_loss_and_gradient_are_the_formula(averaging, old, reference, monkeypatch):
    batch = rollouts(old, reference)
    logprobs = token_logprobs(network(), batch.rows).detach()
    found = ours(logprobs, batch, averaging, 0.2, 0.28, 0.3, monkeypatch)
    right = by_formula(logprobs, batch, averaging, 0.2, 0.28, 0.3)
    assert found[0] == pytest.approx(right[0], rel=1e-6, abs=1e-12)
    np.testing.assert_allclose(found[1], right[1], rtol=1e-6, atol=1e-12)


@pytest.mark.slow  # importing TRL takes half a minute on a busy machine
@pytest.mark.parametrize(("averaging", "old", "reference"), CASES)
def test_loss_and_gradient_are_trl_s(averaging, old, reference, monkeypatch):
    """Call `GRPOTrainer._compute_loss`, its real code, with a network that gives these log-probabilities."""
    trainer = pytest.importorskip("trl.trainer.grpo_trainer", reason=NO_TRL).GRPOTrainer
    batch = rollouts(old, reference)
    logprobs = token_logprobs(network(), batch.rows).detach()
    leaf = logprobs.double().clone().requires_grad_()
    mask = (batch.rows.targets != IGNORE).long()
    kind = {"reply": "grpo", "token": "bnpo", "constant": "dr_grpo"}[averaging]
    weight = 0.3 if reference else 0.0
    bare = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *_, **__: (leaf, torch.zeros_like(leaf).detach(), None),
        aux_loss_enabled=False, top_entropy_quantile=1.0, off_policy_mask_threshold=None, beta=weight,
        importance_sampling_level="token", loss_type=kind, epsilon_low=0.2, epsilon_high=0.28, use_vllm=False,
        args=SimpleNamespace(use_bias_correction_kl=False, delta=None), current_gradient_accumulation_steps=1,
        max_completion_length=LONGEST, _entropy_bonus_enabled=False, model=SimpleNamespace(training=True),
        _metrics={"train": defaultdict(list), "eval": defaultdict(list)},
        accelerator=SimpleNamespace(reduce=lambda x, reduction: x, gather=lambda x: x, device="cpu"),
    )  # fmt: skip
    none = torch.zeros(6, 0, dtype=torch.int64)
    inputs = {
        "prompt_ids": none, "prompt_mask": none, "completion_ids": batch.rows.targets, "completion_mask": mask,
        "advantages": batch.advantages, "old_per_token_logps": batch.old, "ref_per_token_logps": batch.reference,
    }  # fmt: skip
    loss = trainer._compute_loss(bare, SimpleNamespace(training=True), inputs)
    loss.backward()
    found = ours(logprobs, batch, averaging, 0.2, 0.28, weight, monkeypatch)
    assert found[0] == pytest.approx(loss.item(), rel=1e-6, abs=1e-12)
    np.testing.assert_allclose(found[1], leaf.grad.numpy(), rtol=1e-6, atol=1e-12)


def test_advantages_are_within_the_group():
    found = group_advantages(REWARDS, GROUP, scaled=False)
    torch.testing.assert_close(found, torch.tensor([0.5, -0.5, 0.0, -1 / 3, -1 / 3, 2 / 3]))
    scaled = group_advantages(REWARDS, GROUP, scaled=True)
    torch.testing.assert_close(scaled[:3], found[:3] / (0.5 + 1e-4))
    assert float(group_advantages(torch.ones(6), GROUP, scaled=True).abs().max()) == 0


def test_of_its_own_replies_it_is_the_policy_gradient():
    model, batch = network(), rollouts()
    found = grpo_objective("token", longest=LONGEST)(model, batch)
    found.total.backward()
    gradient = model.head.weight.grad.clone()
    model.zero_grad()
    weighed = -(token_logprobs(model, batch.rows) * batch.advantages[:, None]).sum()
    weighed.backward()
    torch.testing.assert_close(gradient, model.head.weight.grad)
    assert float(found.numbers["clipped"]) == 0


def test_a_batch_without_signal_moves_nothing():
    model, batch = network(), rollouts(rewards=torch.ones(6))
    loss = grpo_objective(longest=LONGEST)(model, batch)
    loss.total.backward()
    assert all(float(p.grad.abs().max()) == 0 for p in model.parameters() if p.grad is not None)
    assert float(loss.numbers["groups_with_signal"]) == 0


def test_what_is_logged():
    model, batch = network(), rollouts(reference=True)
    loss = grpo_objective("token", longest=LONGEST)(model, batch)
    numbers = {name: float(value) / float(loss.count) for name, value in loss.numbers.items()}
    assert numbers["reward"] == pytest.approx(float(REWARDS.mean()))
    assert numbers["groups_with_signal"] == 1.0
    assert numbers["finished"] == 1.0
    assert numbers["reply_tokens"] == pytest.approx(float(batch.lengths.float().mean()))
    logs = model(batch.rows.ids).detach().log_softmax(-1)
    entropy = -(logs.exp() * logs).sum(-1)[batch.rows.targets != IGNORE].mean()
    assert numbers["entropy"] == pytest.approx(float(entropy), rel=1e-5)
    assert numbers["kl"] > 0


def test_kl_estimate_is_never_negative_and_right_on_average():
    logs, others = (torch.randn(1, 50, generator=torch.Generator().manual_seed(n)).log_softmax(-1) for n in (0, 1))
    found = kl_estimates(logs, others)
    assert float(found.min()) >= 0
    assert float((logs.exp() * found).sum()) == pytest.approx(float((logs.exp() * (logs - others)).sum()), abs=1e-5)


def test_clipping_stops_the_gradient_outside_on_the_right_side():
    logprobs = torch.tensor([[1.0, -1.0], [1.0, -1.0]], requires_grad=True)
    losses = clipped_losses(logprobs, torch.zeros(2, 2), torch.tensor([1.0, -1.0]), 0.2, 0.2)
    losses.sum().backward()
    assert (logprobs.grad != 0).tolist() == [[False, True], [True, False]]


def test_rewarded_replies_become_likelier():
    model, batch = network(), rollouts()

    class Same:
        def next(self):
            return batch

    state = TrainState(
        model, make_optimizer(model, OptimizerConfig(kind="adamw", lr=0.003)), Same(),
        Precision(torch.float32, torch.device("cpu")),
    )  # fmt: skip
    before = token_logprobs(model, batch.rows).sum(1).detach()
    for _ in steps(state, grpo_objective("reply", longest=LONGEST), lambda _: 1.0, 10):
        pass
    moved = token_logprobs(model, batch.rows).sum(1).detach() - before
    good, bad = batch.advantages > 0.1, batch.advantages < -0.1
    assert float(moved[good].min()) > float(moved[bad].max())


def test_balance_of_experts_joins():
    model = Decoder(SMALL.but(num_experts=3, experts_per_token=1))
    loss = grpo_objective(longest=LONGEST, balance_weight=0.5)(model, rollouts())
    assert "balance" in loss.numbers
    assert next_token(model, rollouts().rows).count > 0
