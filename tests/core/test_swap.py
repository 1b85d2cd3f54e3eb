"""Folders take each other's place; the slow way can be finished after a kill between its two renames."""

import os
from pathlib import Path

import pytest

from linnet.core import swap
from linnet.core.files import replace_folder


@pytest.fixture
def two(tmp_path) -> tuple[Path, Path]:
    for name in ("new", "folder"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "who").write_text(name)
    return tmp_path / "new", tmp_path / "folder"


def test_exchange_in_one_step(two):
    swap.exchange(*two)
    assert (two[1] / "who").read_text() == "new"
    assert (two[0] / "who").read_text() == "folder"


def test_exchange_where_nothing_stood(two):
    swap.exchange(two[0], two[1].with_name("fresh"))
    assert (two[1].with_name("fresh") / "who").read_text() == "new"


def test_exchange_where_swapping_is_unsupported(two, monkeypatch):
    monkeypatch.setattr(swap, "_swap", lambda *_: False)
    swap.exchange(*two)
    assert (two[1] / "who").read_text() == "new"
    assert [path.name for path in two[1].parent.iterdir()] == ["folder"]


def test_a_kill_between_the_two_renames_is_settled(two, monkeypatch):
    monkeypatch.setattr(swap, "_swap", lambda *_: False)
    rename, calls = os.rename, []

    def killed_at_the_second(source, target):
        calls.append(source)
        if len(calls) == 2:
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(swap.os, "rename", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        swap.exchange(*two)
    monkeypatch.undo()
    assert not two[1].exists()
    swap.settle(two[1])
    assert (two[1] / "who").read_text() == "folder"


def test_a_kill_before_the_old_one_is_removed_is_settled(two):
    two[0].rename(two[1].with_name(".folder.old"))
    with replace_folder(two[1]) as new:
        (new / "who").write_text("newest")
    assert (two[1] / "who").read_text() == "newest"
    assert [path.name for path in two[1].parent.iterdir()] == ["folder"]
