"""The far side of a probe: bytes as they are counted, and that they grow with the rows in a straight line."""

import time
from dataclasses import dataclass, replace

import pytest
import torch

from linnet.batches.batch import Batch
from linnet.explain import look
from linnet.explain.first_step import Beginning, Measuring
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.moe import MixtureOfExperts
from linnet.train import session
from linnet.train.config import OptimizerConfig, PretrainConfig
from linnet.train.objectives import next_token_objective
from linnet.train.optimizers import make_optimizer
from linnet.train.precision import Precision
from linnet.train.state import TrainState
from tests.explain.plans import NOTHING_ELSE


@dataclass
class Event:
    """What the profiler says of one moment."""

    at: int
    what: str
    size: int = 0

    def start_ns(self):
        return self.at

    def name(self):
        return self.what

    def nbytes(self):
        return self.size

    def device_type(self):
        return "DeviceType.CPU"


def beginning(**choices):
    """Return the beginning of a small training, with four rows of random tokens."""
    config = ModelConfig(vocab_size=64, context_length=64, num_layers=2, hidden_size=64, num_heads=2, **choices)
    model = Decoder(config, torch.Generator().manual_seed(0))
    ids = torch.randint(0, 64, (4, 64), generator=torch.Generator().manual_seed(1))
    batch = Batch(ids, ids.roll(-1, 1))
    precision = Precision(torch.float32, torch.device("cpu"))
    state = TrainState(model, make_optimizer(model, OptimizerConfig()), look._One(batch), precision)
    return Beginning(state, next_token_objective(), batch, Measuring(0, 0, 0, 1))


def test_bytes_are_added_up_in_order_and_parted_where_the_optimizer_begins():
    events = [
        Event(4, "[memory]", -30),
        Event(1, "[memory]", 10),
        Event(3, "Optimizer.step#AdamW.step"),
        Event(2, "[memory]", 40),
        Event(5, "[memory]", 5),
    ]
    assert list(look.levels(events, "cpu")) == [(0, False), (10, False), (50, False), (20, True), (25, True)]
    assert list(look.levels(events, "cuda")) == [(0, False)]


@pytest.mark.parametrize("checkpointing", [False, True])
def test_what_a_step_holds_grows_in_a_straight_line_with_its_rows(checkpointing):
    begun = beginning()
    begun.state.model.checkpointing = checkpointing
    list(look._steps(begun, 2, 1, 1.0, 1))  # the optimizer's states are made
    held = {rows: look._peaks(begun, rows, 1, 1.0)[0] for rows in (4, 8, 16)}
    assert held[16] == pytest.approx(held[8] + 2 * (held[8] - held[4]), rel=0.03)
    assert held[16] > 1.5 * held[8]


def test_steps_leave_the_weights_and_the_batches_as_they_were():
    begun = beginning()
    before, source = [p.clone() for p in begun.state.model.parameters()], begun.state.batches
    assert len(list(look._steps(begun, 2, 1, 1.0, 2))) == 2
    assert all(torch.equal(old, new) for old, new in zip(before, begun.state.model.parameters(), strict=True))
    assert begun.state.batches is source


def test_experts_see_other_numbers_of_tokens_in_each_step_and_end_as_they_were():
    started = beginning(num_experts=4)
    mixture = next(m for m in started.state.model.modules() if isinstance(m, MixtureOfExperts))
    before, loads = {k: v.clone() for k, v in started.state.model.state_dict().items()}, set()
    mixture.register_forward_hook(lambda *_: loads.add(tuple(mixture.load.tolist())))
    look._timed(started, 4, 1, 1.0)
    assert len(loads) > look.WANDERINGS
    assert all(torch.equal(before[k], v) for k, v in started.state.model.state_dict().items())


def test_the_whole_batch_is_looked_at_where_it_is_light_and_less_where_it_is_not(monkeypatch):
    begun = beginning()
    assert look.sizes_of(begun, 8) == [1, 4, 8]
    assert look.sizes_of(begun, 1) == [1]
    monkeypatch.setattr(look, "free", lambda device: 0)
    assert look.sizes_of(begun, 8) == [1]


def test_batches_that_are_written_anew_are_learned_from_before_the_widest(monkeypatch):
    begun, seen = beginning(), []

    class Written:
        def next(self):
            seen.append(len(seen) % 3 + 2)
            return Batch(begun.widest.ids[:, : seen[-1]], begun.widest.targets[:, : seen[-1]])

    cfg = PretrainConfig(batch_size=4, eval_every=0, save_every=0, prove=False)
    begun.state.batches = Written()
    look._renew(begun, 4, cfg)
    assert seen == []  # these are no others than the first
    renewed = replace(begun, renewed=True)
    before = [p.clone() for p in begun.state.model.parameters()]
    look._renew(renewed, 4, cfg)
    assert len(seen) == 1 + look.RENEWALS
    assert all(torch.equal(old, new) for old, new in zip(before, begun.state.model.parameters(), strict=True))
    look._renew(renewed, 3, cfg)
    assert len(seen) == 2 + look.RENEWALS  # a batch that is too heavy to look at
    monkeypatch.setattr(look, "RENEWING", 0.0)
    look._renew(renewed, 4, cfg)
    assert len(seen) == 4 + look.RENEWALS


def test_tables_that_are_only_looked_up_do_not_make_rows_heavy(monkeypatch):
    plain, tables = beginning(), beginning(ngram_buckets=65536)
    modules = [module for module in plain.state.model.modules() if isinstance(module, torch.nn.Linear)]
    row = 3 * 64 * sum(module.weight.numel() for module in modules)
    monkeypatch.setattr(look, "WORK", 5.5 * row)
    assert [look.sizes_of(begun, 8)[-1] for begun in (plain, tables)] == [5, 5]
    tied = beginning(tie_embeddings=True)
    assert look.sizes_of(tied, 8)[-1] == 5


def test_more_rows_keep_more():
    begun = beginning()
    one, two, three = (look.kept(begun, rows) for rows in (1, 2, 3))
    assert two > one
    assert three - two == pytest.approx(two - one, rel=0.05)


def test_tensors_that_share_memory_are_counted_once():
    whole = torch.zeros(10)
    assert look.bytes_of([whole, whole[:5], torch.zeros(2)]) == 48


@pytest.mark.slow
def test_weights_gradients_and_states_are_counted_on_the_network_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)
    (tmp_path / "text.txt").write_text("the bird sings in a tree and waits for rain . " * 60)
    cfg = PretrainConfig.build(
        {
            **{"corpus": str(tmp_path / "text.txt"), "tokenizer": "characters", "out": tmp_path / "run"},
            **{"batch_size": 2, "accumulate": 3, "track": "none", "device": "cpu", "dtype": "bf16", "threads": 1},
            **{"optimizer": {"kind": "adamw"}, "model": {"num_layers": 1, "hidden_size": 32, "context_length": 16}},
        },
        "test",
    )
    found = look.look(cfg, "pretrain", time.time(), NOTHING_ELSE)
    assert found.trainable == found.total
    assert found.gradients == 4 * found.total  # in fp32, whatever the products are in
    assert found.weights == pytest.approx(4 * found.total, rel=0.05)  # and the tables of positions
    assert found.states == pytest.approx(8 * found.total, rel=0.05)  # and the counts of steps
    assert [sight.rows for sight in found.sights] == [1, 2]
    assert found.batches == 2
    assert found.sights[0].learning >= found.gradients
