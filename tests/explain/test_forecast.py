"""The arithmetic of a forecast, on a probe whose numbers are known; the count of parameters, on real networks."""

from pathlib import Path

import pytest
import torch

from linnet.explain import forecast as told
from linnet.explain.probe import Sight, Work, Writing
from linnet.model.config import ModelConfig
from linnet.model.network import build
from linnet.train.config import GRPOConfig, OptimizerConfig, PretrainConfig
from tests.explain.plans import MB, a_probe

CFG = PretrainConfig(batch_size=8, steps=100, eval_every=50, save_every=25)


def test_at_the_size_of_the_probe_it_is_what_was_measured():
    assert told.peak(a_probe(), CFG) == 450 * MB
    assert told.step_seconds(a_probe(), CFG) == pytest.approx(1.0)


def test_more_rows_take_more_in_a_straight_line():
    assert told.learning(a_probe(), 20) == 220 * MB
    wide = CFG.but(batch_size=20)
    assert told.peak(a_probe(), wide) == pytest.approx(442 * MB + told.SLACK * 120 * MB)
    assert told.step_seconds(a_probe(), wide) == pytest.approx(2.2)
    bent = a_probe(sights=(Sight(1, 55 * MB, 0.5, 390 * MB), *a_probe().sights))  # the line is that of the larger two
    assert told.learning(bent, 20) == 220 * MB
    assert told.step_seconds(bent, wide) == pytest.approx(2.2)


def test_fewer_rows_take_less_but_never_less_than_one_row():
    assert told.peak(a_probe(), CFG.but(batch_size=6)) == pytest.approx(450 * MB - told.SLACK * 20 * MB)
    assert told.peak(a_probe(), CFG.but(batch_size=1)) == 400 * MB


def test_a_large_evaluation_or_update_counts_too():
    heavy = a_probe(evaluating=10 * MB)
    assert told.peak(heavy, CFG) == pytest.approx(442 * MB + told.SLACK * (320 - 100) * MB)
    assert told.peak(a_probe(updating=300 * MB), CFG) == 450 * MB  # it was in the probe, whatever the batch


def test_the_growth_of_the_process_is_taken_where_it_tells():
    near, far = Sight(4, 60 * MB, 0.6, 400 * MB), Sight(16, 180 * MB, 1.8, 400 * MB + 144 * MB)
    assert told.slack(a_probe()) == told.SLACK  # 40 MB more say little
    assert told.slack(a_probe(sights=(near, far))) == pytest.approx(1.2)
    middle = Sight(8, 90 * MB, 0.9, 999 * MB)  # of what was looked at after the largest nothing is told
    assert told.slack(a_probe(sights=(near, middle, far))) == pytest.approx(1.2)
    wild = Sight(16, 180 * MB, 1.8, 900 * MB)
    assert told.slack(a_probe(sights=(near, wild))) == told.MOST_SLACK


def test_accumulated_batches_share_one_update():
    twice = a_probe(batches=2, update_seconds=0.2)  # two batches and an update take 1 s: 0.4 s a batch
    assert told.step_seconds(twice, CFG.but(accumulate=2)) == pytest.approx(1.0)
    assert told.step_seconds(twice, CFG.but(accumulate=8)) == pytest.approx(8 * 0.4 + 0.2)


def test_batches_are_as_wide_as_they_are_on_average():
    assert told.step_seconds(a_probe(share=0.5), CFG) == pytest.approx(0.2 + 0.1 * 4)


def test_a_whole_run_has_its_start_its_steps_its_looks_and_its_saves():
    seconds = told.whole_seconds(a_probe(), CFG, 1.0)
    assert seconds == pytest.approx(5 + 2 + 100 + (2 * 32 + 100) * 0.01 + 4 * 0.5)


def test_what_a_run_does_beside_its_steps_is_in_its_seconds():
    writing = Work("answers", 3.0, before=4.0)
    rolling = Work("replies", 2.0, each_step=0.5)
    looking = Work("held-out replies", 0.25, each_look=1.0, last=2.0)
    probe = a_probe(works=(writing, rolling, looking))
    assert told.step_seconds(probe, CFG) == pytest.approx(1.0 + 0.5 * 2)
    plain = told.whole_seconds(a_probe(), CFG, 1.0)
    assert told.whole_seconds(probe, CFG, 1.0) == pytest.approx(plain + 4 * 3 + (2 + 2) * 0.25)
    found = told.forecast(probe, CFG)
    assert found.seconds == pytest.approx(plain + 100 + 4 * 3 + (2 + 2) * 0.25)
    assert found.tokens_per_second == pytest.approx(8 * 64 / 2)
    assert found.beside == {"answers": 12.0, "replies": 100.0, "held-out replies": 1.0}
    assert found.numbers()["held-out_replies_seconds"] == 1.0


def test_replies_that_are_written_at_once_need_room():
    heavy = Writing(row=20 * MB, probed=4, rows=32)
    assert told.peak(a_probe(writing=heavy), CFG) == pytest.approx(442 * MB + told.SLACK * (640 - 100) * MB)
    seen = a_probe(writing=Writing(row=20 * MB, probed=32, rows=32))
    assert told.peak(seen, CFG) == 450 * MB  # they were in the probe
    replies = GRPOConfig(parent=Path("run"), batch_size=32)
    assert told.peak(a_probe(writing=heavy), replies, 8) == pytest.approx(442 * MB + told.SLACK * (160 - 100) * MB)


def test_the_parts_add_up():
    found = told.forecast(a_probe(), CFG.but(batch_size=32))
    assert sum(found.parts.values()) == found.memory
    assert found.parts["logits and loss"] == 12 * 64 * 1000 * 32
    kept = {"interpreter and data": 200, "weights": 40, "gradients": 40, "optimizer states": 80}
    assert {name: found.parts[name] / MB for name in kept} == kept
    assert all(size >= 0 for size in found.parts.values())
    assert found.tokens_per_second == pytest.approx(32 * 64 / found.step_seconds)
    summed = told.forecast(a_probe(), CFG.but(accumulate=4))
    assert summed.tokens_per_second == pytest.approx(4 * 8 * 64 / summed.step_seconds)


def test_the_most_rows_are_the_last_that_fit():
    cfg = CFG.but(batch_size=64)
    rows = told.most_rows(a_probe(), cfg, 700 * MB)
    assert told.peak(a_probe(), cfg, rows) <= 700 * MB < told.peak(a_probe(), cfg, rows + 1)
    assert told.most_rows(a_probe(), cfg, 10 * MB) == 0


@pytest.mark.parametrize(
    "model",
    [
        ModelConfig(hidden_size=64, num_layers=2),
        ModelConfig(hidden_size=64, num_layers=3, tie_embeddings=True, ngram_buckets=100, value_embedding_every=1),
        ModelConfig(hidden_size=64, num_layers=2, num_experts=4, activation="swiglu", num_kv_heads=1),
    ],
)
def test_parameters_are_known_without_the_network(model):
    real = sum(parameter.numel() for parameter in build(model, torch.Generator().manual_seed(0)).parameters())
    about = told.about_parameters(model)
    assert about <= real < 1.02 * about


def test_states_are_counted_by_optimizer():
    kinds = [("muon", 32), ("adamw", 32), ("adamw", 8)]
    assert [told.state_bytes(OptimizerConfig(kind=kind, state_bits=bits)) for kind, bits in kinds] == [4, 8, 2]
    model = ModelConfig(hidden_size=64)
    cfg = CFG.but(optimizer=OptimizerConfig(kind="adamw"))
    assert told.least_bytes(cfg, None, model) == 16 * told.about_parameters(model)
