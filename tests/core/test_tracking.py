"""TensorBoard's files read back by its own reader; wandb-like packages get their three calls; absence is said once."""

import importlib.util
import logging
import sys

import pytest

from linnet.core import tracking
from linnet.core.errors import BadInput

RECORDER = """
calls = []
def init(project, name, config): calls.append(("init", project, name, config))
def log(numbers, step): calls.append(("log", numbers, step))
def finish(): calls.append(("finish",))
"""


def test_tensorboard_reads_back_what_was_logged_and_a_resume_replaces_later_steps(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    first = tracking.open_tracker("tensorboard", tmp_path, {})
    for step in (1, 2, 3):
        first.log(step, {"loss": float(step)})
    first.finish()
    second = tracking.open_tracker("tensorboard", tmp_path, {}, first_step=3)
    second.log(3, {"loss": 30.0})
    second.finish()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 1.0), (2, 2.0), (3, 30.0)]


def test_without_tensorboard_one_line_says_so_and_nothing_is_recorded(tmp_path, monkeypatch, caplog):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorboard" else found(name))
    monkeypatch.setattr(logging.getLogger("linnet"), "propagate", True)
    with caplog.at_level(logging.INFO, "linnet"):
        tracker = tracking.open_tracker("tensorboard", tmp_path, {})
    tracker.log(1, {"loss": 1.0})
    tracker.finish()
    assert len(caplog.records) == 1
    assert "linnet[track]" in caplog.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_the_three_calls(tmp_path, monkeypatch, name):
    (tmp_path / f"{name}.py").write_text(RECORDER)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, name, raising=False)
    tracker = tracking.open_tracker(name, tmp_path / "tiny" / "pretrain", {"steps": 3})
    tracker.log(2, {"loss": 1.0})
    tracker.finish()
    assert sys.modules[name].calls == [
        ("init", "linnet", "tiny-pretrain", {"steps": 3}),
        ("log", {"loss": 1.0}, 2),
        ("finish",),
    ]
    monkeypatch.delitem(sys.modules, name)


def test_a_tracker_asked_for_by_name_must_be_there(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    tracking.check_tracker("tensorboard")
    tracking.check_tracker("none")
    with pytest.raises(BadInput, match="pip install wandb"):
        tracking.check_tracker("wandb")


def test_none_records_nothing(tmp_path):
    tracker = tracking.open_tracker("none", tmp_path, {})
    tracker.log(1, {"loss": 1.0})
    tracker.finish()
    assert list(tmp_path.iterdir()) == []
