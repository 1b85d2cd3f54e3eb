"""The loop: accumulation at any split equals the large batch, steps are numbered, a broken loss is refused."""

import itertools

import pytest
import torch

from linnet.batches.batch import Batch
from linnet.core.errors import Failed
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.train.config import OptimizerConfig
from linnet.train.loop import steps
from linnet.train.objectives import Loss, next_token
from linnet.train.optimizers import make_optimizer
from linnet.train.precision import Precision
from linnet.train.state import TrainState
from tests.train.batches_for_tests import Counted

SMALL = ModelConfig(vocab_size=17, hidden_size=16, num_layers=2, num_heads=2, context_length=8, ngram_buckets=64)


def make_state(batches, kind="adamw", seed=0):
    model = Decoder(SMALL, torch.Generator().manual_seed(seed))
    for block in model.blocks:  # zero at first, which would hide differences
        torch.nn.init.normal_(block.mlp.down.weight, std=0.1, generator=torch.Generator().manual_seed(1))
    optimizer = make_optimizer(model, OptimizerConfig(kind=kind))
    return TrainState(model, optimizer, batches, Precision(torch.float32, torch.device("cpu")))


class Pieces:
    """The rows of one source's batches, handed out in pieces of the given sizes."""

    def __init__(self, source, sizes):
        self.source, self.sizes, self.queue = source, sizes, []

    def next(self):
        if not self.queue:
            whole = self.source.next()
            at = [0, *torch.tensor(self.sizes).cumsum(0).tolist()]
            ends = itertools.pairwise(at)
            self.queue = [Batch(whole.ids[a:b], whole.targets[a:b]) for a, b in ends]
        return self.queue.pop(0)

    def state(self):
        return {}

    def restore(self, state):
        pass


@pytest.mark.parametrize("sizes", [[6], [3, 3], [2, 2, 2], [1, 5], [5, 1], [1] * 6, [1, 2, 3]])
def test_accumulation_equals_the_large_batch_at_any_split_with_ragged_targets(sizes):
    whole = make_state(Counted(rows=6, ragged=True))
    split = make_state(Pieces(Counted(rows=6, ragged=True), sizes))
    reference = [step.numbers for step in steps(whole, next_token, lambda _: 1.0, total=3)]
    pieces = [step.numbers for step in steps(split, next_token, lambda _: 1.0, total=3, accumulate=len(sizes))]
    for a, b in zip(reference, pieces, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=1e-5)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-4)
    for (name, a), b in zip(whole.model.named_parameters(), split.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4, msg=name)


def test_a_mean_of_means_would_be_caught():
    """The bug that the test above stands against differs by far more than its tolerance."""

    def mean_of_means(model, batch):
        loss = next_token(model, batch)
        one = torch.ones((), dtype=torch.int64)
        return Loss(loss.total / loss.count, one, {"loss": loss.total.detach() / loss.count})

    whole = make_state(Counted(rows=6, ragged=True))
    split = make_state(Pieces(Counted(rows=6, ragged=True), [1, 5]))
    right = next(steps(whole, next_token, lambda _: 1.0, total=1)).numbers
    wrong = next(steps(split, mean_of_means, lambda _: 1.0, total=1, accumulate=2)).numbers
    assert abs(right["grad_norm"] / wrong["grad_norm"] - 1) > 0.01


def test_steps_are_numbered_from_one_and_every_includes_the_last():
    state = make_state(Counted())
    seen = [(step.number, step.every(4)) for step in steps(state, next_token, lambda _: 1.0, total=10)]
    assert [number for number, _ in seen] == list(range(1, 11))
    assert [number for number, hit in seen if hit] == [4, 8, 10]
    assert not any(step.every(0) for step in steps(make_state(Counted()), next_token, lambda _: 1.0, total=2))


def test_the_schedule_sees_the_step_and_sets_the_rate():
    state = make_state(Counted())
    asked = []

    def schedule(step):
        asked.append(step)
        return 0.0

    before = [p.detach().clone() for p in state.model.parameters()]
    list(steps(state, next_token, schedule, total=3))
    assert asked == [0, 1, 2]
    assert all(torch.equal(a, b) for a, b in zip(before, state.model.parameters(), strict=True))


def test_clipping_bounds_the_gradient_and_reports_it_unclipped():
    free = next(steps(make_state(Counted()), next_token, lambda _: 1.0, total=1, clip=0)).numbers["grad_norm"]
    state = make_state(Counted())
    norms = []
    state.precision.step = lambda optimizer: norms.append(  # look at the gradients at the moment of the step
        torch.stack([p.grad.norm() for p in state.model.parameters() if p.grad is not None]).norm()
    )
    step = next(steps(state, next_token, lambda _: 1.0, total=1, clip=free / 10))
    assert step.numbers["grad_norm"] == pytest.approx(free, rel=1e-5)
    assert float(norms[0]) == pytest.approx(free / 10, rel=1e-3)


def test_a_gradient_that_is_not_finite_is_refused_and_the_weights_stay():
    state = make_state(Counted())
    before = [p.detach().clone() for p in state.model.parameters()]

    def broken(model, batch):
        loss = next_token(model, batch)
        return Loss(loss.total * float("nan"), loss.count, loss.numbers)

    with pytest.raises(Failed, match="step 1"):
        next(steps(state, broken, lambda _: 1.0, total=1))
    assert all(torch.equal(a, b) for a, b in zip(before, state.model.parameters(), strict=True))


@pytest.mark.slow
def test_one_batch_can_be_overfitted():
    class One(Counted):
        def next(self):
            self.number = 0
            return super().next()

    state = make_state(One(), kind="muon")
    losses = [step.numbers["loss"] for step in steps(state, next_token, lambda _: 1.0, total=60)]
    assert losses[-1] < 0.1 < losses[0]
