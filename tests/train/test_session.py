"""Around the loop: what is set up, refused, resumed, measured and kept."""

import json
import os
import signal

import pytest
import torch

from linnet.core.errors import BadInput, Stopped
from linnet.core.run import Run, read_metrics
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.flops import training_flops_per_token
from linnet.train import session
from linnet.train.config import OptimizerConfig, TrainingConfig
from linnet.train.loop import Step, steps
from linnet.train.objectives import next_token
from linnet.train.optimizers import make_optimizer
from linnet.train.precision import Precision
from linnet.train.session import Best, OneBatch, Pace, already_done, go_on, set_up, training
from linnet.train.state import Checkpoints, TrainState
from tests.train.batches_for_tests import Counted

SMALL = ModelConfig(vocab_size=17, hidden_size=16, num_layers=2, num_heads=2, context_length=8)
CPU = torch.device("cpu")


def make_state():
    model = Decoder(SMALL)
    return TrainState(model, make_optimizer(model, OptimizerConfig()), Counted(), Precision(torch.float32, CPU))


def test_set_up_seeds_and_picks_the_asked_type(tmp_path):
    before = torch.get_num_threads()
    try:
        precision = set_up(TrainingConfig(out=tmp_path, dtype="fp16", device="cpu", seed=7, threads=1))
    finally:
        torch.set_num_threads(before)
    assert precision.dtype == torch.float16
    first = torch.rand(3)
    set_up(TrainingConfig(out=tmp_path, device="cpu", seed=7, threads=1))
    assert torch.equal(first, torch.rand(3))


def test_unfinished_work_is_not_thrown_away(tmp_path):
    cfg = TrainingConfig(out=tmp_path)
    assert already_done(cfg, "pretrain") is False
    Checkpoints(tmp_path / "state").save(make_state())
    with pytest.raises(BadInput, match=r"unfinished run.*--resume"):
        already_done(cfg, "pretrain")
    assert already_done(cfg.but(resume=True), "pretrain") is False


def test_a_finished_run_is_skipped_only_when_resumed_and_the_same(tmp_path):
    cfg = TrainingConfig(out=tmp_path, resume=True)
    with Run.start(tmp_path, cfg, "pretrain", track="none") as run:
        run.finish(loss=1.0)
    assert already_done(cfg, "pretrain") is True
    assert already_done(cfg.but(resume=False), "pretrain") is False
    assert already_done(cfg.but(steps=7), "pretrain") is False


def test_going_on_restores_the_newest_and_cuts_the_log(tmp_path):
    cfg = TrainingConfig(out=tmp_path, resume=True)
    state, saved = make_state(), Checkpoints(tmp_path / "state")
    with Run.start(tmp_path, cfg, "pretrain", track="none") as run:
        for step in steps(state, next_token, lambda _: 1.0, total=4):
            run.log(step.number, loss=1.0)
            if step.number == 2:
                saved.save(state)
    fresh = make_state()
    with Run.start(tmp_path, cfg, "pretrain", track="none", resume=True) as run:
        go_on(cfg, fresh, saved, run)
    assert fresh.step == 2
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2]


def test_without_resume_nothing_is_restored(tmp_path):
    cfg, saved, state = TrainingConfig(out=tmp_path), Checkpoints(tmp_path / "state"), make_state()
    state.step = 3
    saved.save(state)
    fresh = make_state()
    with Run.start(tmp_path / "other", cfg, "pretrain", track="none") as run:
        go_on(cfg, fresh, saved, run)
    assert fresh.step == 0


def test_one_batch_is_the_first_again_and_again():
    first = Counted().next()
    source = OneBatch(Counted())
    for _ in range(3):
        assert torch.equal(source.next().ids, first.ids)
    source.restore(json.loads(json.dumps(source.state())))


def test_pace_counts_tokens_and_arithmetic(monkeypatch):
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 3e9)
    pace = Pace(Decoder(SMALL), Precision(torch.float32, CPU), tokens_per_row=8, tokens_per_step=64)
    zero = torch.zeros(())
    numbers = pace.numbers(Step(1, 1, 60, 0.5, 1.0, {}, zero, zero))
    assert numbers["tokens_per_second"] == 128
    assert numbers["matmul_share"] == pytest.approx(128 * training_flops_per_token(SMALL, 8) / 3e9)
    assert numbers["memory_bytes"] > 0


def test_best_weights_come_back(tmp_path):
    model = Decoder(SMALL)
    best = Best(tmp_path)
    best.take(model)  # none kept: nothing happens
    best.keep(model)
    kept = [p.detach().clone() for p in model.parameters()]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    best.take(model)
    assert all(torch.equal(a, b) for a, b in zip(kept, model.parameters(), strict=True))


def test_the_limit_only_rises(monkeypatch):
    looks = iter([2e9, 1e9, 3e9])
    monkeypatch.setattr(session, "matmul_limit", lambda *_: next(looks))
    pace = Pace(Decoder(SMALL), Precision(torch.float32, CPU), tokens_per_row=8, tokens_per_step=64)
    found = [pace.limit]
    for _ in range(2):
        pace.measure_limit(0.01)
        found.append(pace.limit)
    assert found == [2e9, 2e9, 3e9]


def test_a_session_logs_keeps_and_saves_at_its_steps(tmp_path):
    cfg = TrainingConfig(out=tmp_path, steps=7, log_every=3, keep_every=2, save_every=4, track="none", prove=False)
    state, seen = make_state(), []
    with training(cfg, "pretrain", state) as session:
        for step in session.steps(next_token):
            seen.append(step.number)
            if step.number == 5:
                session.note(held_out_loss=1.5)
        kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
        saved = sorted(path.name for path in (tmp_path / "state").iterdir())
        session.run.finish()
    assert seen == list(range(1, 8))
    assert kept == ["step-00000002", "step-00000004", "step-00000006"]
    assert saved == ["step-00000004", "step-00000007"]
    lines = {line["step"]: line for line in read_metrics(tmp_path)}
    assert sorted(lines) == [3, 5, 6, 7]
    assert lines[5]["held_out_loss"] == 1.5
    assert "loss" in lines[3]
    assert "loss" not in lines[5]


def test_a_session_ends_when_a_recipe_has_seen_enough(tmp_path):
    cfg = TrainingConfig(out=tmp_path, steps=9, track="none", save_every=0)
    state = make_state()
    with training(cfg, "pretrain", state) as session:
        for step in session.steps(next_token):
            session.enough = step.number == 4
    assert state.step == 4


def asked_to_stop_after(number, cfg):
    with training(cfg, "pretrain", make_state()) as session:
        for step in session.steps(next_token):
            if step.number == number:
                os.kill(os.getpid(), signal.SIGTERM)


def test_a_session_that_is_asked_to_stop_saves_a_whole_step_and_goes_on_to_the_same_bits(tmp_path):
    cfg = TrainingConfig(out=tmp_path / "stopped", steps=6, track="none", save_every=0, resume=True)
    torch.manual_seed(0)
    whole = make_state()
    with training(cfg.but(out=tmp_path / "whole"), "pretrain", whole) as session:
        list(session.steps(next_token))
    torch.manual_seed(0)
    with pytest.raises(Stopped, match=r"stopped after step 3 and saved .*step-00000003; .*--resume"):
        asked_to_stop_after(3, cfg)
    later = make_state()
    with training(cfg, "pretrain", later) as session:
        assert later.step == 3
        list(session.steps(next_token))
    pairs = zip(whole.model.parameters(), later.model.parameters(), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)
