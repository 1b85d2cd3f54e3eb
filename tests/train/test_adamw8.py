"""AdamW in 8 bits: near AdamW on a network, a quarter of its memory, falling means fall, resumed to the bit."""

import pytest
import torch

from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.train.adamw8 import SMALLEST, AdamW8
from linnet.train.config import OptimizerConfig
from linnet.train.loop import steps
from linnet.train.objectives import next_token
from linnet.train.optimizers import make_optimizer
from linnet.train.precision import Precision
from linnet.train.state import TrainState
from tests.train.batches_for_tests import Counted

SMALL = ModelConfig(vocab_size=17, hidden_size=64, num_layers=2, num_heads=2, context_length=8)


def make_state(bits, kind="adamw", batches=None):
    config = OptimizerConfig(kind=kind, lr=0.003, state_bits=bits, weight_decay=0.01)
    model = Decoder(SMALL)
    return TrainState(
        model, make_optimizer(model, config), batches or Counted(rows=8), Precision(torch.float32, torch.device("cpu"))
    )


def train(state, total):
    return [step.numbers["loss"] for step in steps(state, next_token, lambda _: 1.0, total=total)]


class Once(Counted):
    """The same batch again and again."""

    def next(self):
        self.number = 0
        return super().next()


@pytest.mark.slow
def test_it_learns_as_adamw_does():
    found = {bits: train(make_state(bits, batches=Once(rows=8)), 40) for bits in (8, 32)}
    assert found[32][0] - found[32][-1] > 1.0
    for place in (5, 20, 39):
        assert found[8][place] == pytest.approx(found[32][place], abs=0.03 * found[32][0])
    assert found[8] != found[32]


def test_its_memory_is_a_quarter():
    sizes = {}
    for bits in (8, 32):
        state = make_state(bits)
        train(state, 1)
        named = {p: held for part in state.optimizer.parts for p, held in part.state.items() if p.numel() >= SMALLEST}
        assert named
        held = sum(t.numel() * t.element_size() for one in named.values() for t in one.values())
        sizes[bits] = held / sum(p.numel() for p in named)
    assert sizes[32] == pytest.approx(8, abs=0.01)
    assert sizes[8] == pytest.approx(2 + 2 * 4 / 256, abs=0.01)
    small = [held for part in state.optimizer.parts for p, held in part.state.items() if p.numel() < SMALLEST]
    assert small, "numbers of few are kept whole"


@pytest.mark.slow
@pytest.mark.parametrize("beta2", [0.95, 0.999])
def test_a_mean_square_that_should_fall_falls(beta2):
    weights = torch.nn.Parameter(torch.zeros(SMALLEST))
    optimizer = AdamW8([{"params": [weights]}], lr=1e-3, betas=(0.9, beta2), eps=1e-8)
    draw, exact = torch.Generator().manual_seed(0), torch.zeros(SMALLEST)
    for step in range(800):
        size = 1.0 if step < 50 else 0.1  # gradients become ten times as small
        weights.grad = size * torch.randn(SMALLEST, generator=draw)
        exact.lerp_(weights.grad.square(), 1 - beta2)
        optimizer.step()
    _, square = optimizer._read(optimizer.state[weights], weights)
    assert float(square.mean()) == pytest.approx(float(exact.mean()), rel=0.1)


def test_one_step_is_the_formula():
    weights = torch.nn.Parameter(torch.randn(SMALLEST, generator=torch.Generator().manual_seed(0)))
    twin = torch.nn.Parameter(weights.detach().clone())
    weights.grad = torch.randn(SMALLEST, generator=torch.Generator().manual_seed(1))
    twin.grad = weights.grad.clone()
    AdamW8([{"params": [weights]}], 0.1, (0.9, 0.95), 1e-8, 0.3).step()
    torch.optim.AdamW([twin], 0.1, (0.9, 0.95), 1e-8, 0.3).step()
    torch.testing.assert_close(weights, twin, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kind", ["adamw", pytest.param("muon", marks=pytest.mark.slow)])
def test_a_resumed_one_goes_on_to_the_same_bits(kind, tmp_path):
    whole = make_state(8, kind)
    train(whole, 8)
    cut = make_state(8, kind)
    train(cut, 5)
    cut.save(tmp_path / "state")
    again = make_state(8, kind)
    again.restore(tmp_path / "state")
    train(again, 8)
    for name, parameter in whole.model.named_parameters():
        assert torch.equal(parameter, dict(again.model.named_parameters())[name]), name
