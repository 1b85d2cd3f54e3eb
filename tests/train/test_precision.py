"""Precision: what runs in which type, and that fp16 steps are scaled, skipped and restored."""

import torch

from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.train.config import OptimizerConfig
from linnet.train.loop import steps
from linnet.train.objectives import next_token
from linnet.train.optimizers import make_optimizer
from linnet.train.precision import Precision
from linnet.train.state import TrainState
from tests.train.batches_for_tests import Counted

CPU = torch.device("cpu")


def make_state(dtype):
    model = Decoder(ModelConfig(vocab_size=17, hidden_size=16, num_layers=2, num_heads=2, context_length=8))
    return TrainState(model, make_optimizer(model, OptimizerConfig()), Counted(), Precision(dtype, CPU))


def test_products_run_in_the_type_and_weights_stay_fp32():
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        with Precision(dtype, CPU).autocast():
            assert torch.nn.Linear(4, 4)(torch.ones(2, 4)).dtype == dtype
        state = make_state(dtype)
        list(steps(state, next_token, lambda _: 1.0, total=2))
        assert all(p.dtype == torch.float32 for p in state.model.parameters())


def test_half_precision_learns_nearly_what_fp32_learns():
    losses = {}
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        torch.manual_seed(0)
        run = steps(make_state(dtype), next_token, lambda _: 1.0, total=8)
        losses[dtype] = [step.numbers["loss"] for step in run]
    for dtype in (torch.bfloat16, torch.float16):
        assert max(abs(a - b) for a, b in zip(losses[dtype], losses[torch.float32], strict=True)) < 0.1


def test_fp16_gradients_are_unscaled_before_they_are_clipped():
    norms = {}
    for dtype in (torch.float32, torch.float16):
        step = next(steps(make_state(dtype), next_token, lambda _: 1.0, total=1, clip=0.01))
        norms[dtype] = step.numbers["grad_norm"]
    assert abs(norms[torch.float16] / norms[torch.float32] - 1) < 0.05


def test_an_infinite_fp16_gradient_skips_the_step_and_lowers_the_scale():
    state = make_state(torch.float16)
    list(steps(state, next_token, lambda _: 1.0, total=1))
    before = [p.detach().clone() for p in state.model.parameters()]
    scale = state.precision.state()["scale"]
    state.precision.scaler.update(2.0**127 * 1.9)  # gradients overflow at this scale
    step = next(steps(state, next_token, lambda _: 1.0, total=2))
    assert step.number == 2
    assert state.precision.state()["scale"] < 2.0**127 * 1.9
    assert scale > 0
    assert all(torch.equal(a, b) for a, b in zip(before, state.model.parameters(), strict=True))


def test_scaler_state_goes_round():
    precision = Precision(torch.float16, CPU)
    precision.scaler.scale(torch.ones(()))
    precision.scaler.update(1024.0)
    other = Precision(torch.float16, CPU)
    other.restore(precision.state())
    assert other.state() == precision.state()
