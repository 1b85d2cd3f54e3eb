"""Writes are whole or not there, also when killed; a full disk is one line; reads are bounded."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from linnet.core import files
from linnet.core.errors import BadInput
from linnet.core.files import (
    file_hash,
    json_text,
    read_json,
    remove_stale,
    replace_folder,
    says_when_full,
    write_atomic,
)

WRITER = """
import sys
from linnet.core.files import replace_folder, write_atomic
folder, n = sys.argv[1], 0
while True:
    n += 1
    with replace_folder(folder + "/state") as new:
        (new / "a").write_text(str(n)); (new / "deep").mkdir(); (new / "deep" / "b").write_text(str(n))
    write_atomic(folder + "/number.txt", str(n) * 5000)
    print(n, flush=True)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_write_atomic_writes_words_and_bytes_and_makes_the_folder(tmp_path):
    write_atomic(tmp_path / "new" / "a.txt", "naïve")
    write_atomic(tmp_path / "new" / "b.bin", b"\x00\xff")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "naïve".encode()
    assert (tmp_path / "new" / "b.bin").read_bytes() == b"\x00\xff"
    assert names(tmp_path / "new") == ["a.txt", "b.bin"]


def test_write_atomic_obeys_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_replace_folder_keeps_the_old_one_on_an_exception(tmp_path):
    target = tmp_path / "model"
    with replace_folder(target) as new:
        (new / "weights").write_text("old")

    def replace_half() -> None:
        with replace_folder(target) as new:
            (new / "weights").write_text("new")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        replace_half()
    assert (target / "weights").read_text() == "old"
    with replace_folder(target) as new:
        assert (target / "weights").read_text() == "old"
        (new / "other").write_text("new")
    assert names(target) == ["other"]
    assert names(tmp_path) == ["model"]


def test_stale_temporaries_of_killed_processes_go_and_living_ones_stay(tmp_path):
    (tmp_path / ".state.dead01.tmp").mkdir()
    (tmp_path / ".state.dead01.tmp" / "half").write_text("x")
    (tmp_path / ".other.dead01.tmp").write_text("another target's")
    with replace_folder(tmp_path / "state") as new:
        assert not (tmp_path / ".state.dead01.tmp").exists()
        remove_stale(tmp_path / "state")
        assert new.is_dir()
    assert names(tmp_path) == [".other.dead01.tmp", "state"]


@pytest.mark.parametrize("wait", [0.0, 0.003, 0.011, 0.04])
def test_a_reader_finds_whole_files_after_a_kill(tmp_path, wait):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.readline()
    end = time.monotonic() + wait
    while True:  # read while it writes: never absent, never half
        number = (tmp_path / "number.txt").read_text()
        assert number == number[: len(number) // 5000] * 5000
        assert int((tmp_path / "state" / "a").read_text()) > 0
        if time.monotonic() > end:
            break
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    assert (tmp_path / "state" / "a").read_text() == (tmp_path / "state" / "deep" / "b").read_text()
    with replace_folder(tmp_path / "state") as new:
        (new / "a").write_text("after")
    write_atomic(tmp_path / "number.txt", "after")
    assert names(tmp_path) == ["number.txt", "state"]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    write_atomic(tmp_path / "a.txt", "old")

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(BadInput, match=r"the disk is full .* MiB free.*--out"):
        write_atomic(tmp_path / "a.txt", "new")
    with pytest.raises(BadInput, match=str(tmp_path)), replace_folder(tmp_path / "state") as new:
        (new / "a").write_text("x")
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
def test_a_disk_that_is_really_full(tmp_path):
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this system lets nobody mount a tmpfs")
    try:
        with pytest.raises(BadInput, match="the disk is full"):
            write_atomic(tmp_path / "a.bin", bytes(200_000))
        with pytest.raises(BadInput, match="the disk is full"), replace_folder(tmp_path / "state") as new:
            (new / "a").write_bytes(bytes(200_000))
        assert names(tmp_path) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_other_system_errors_are_not_called_a_full_disk(tmp_path):
    with pytest.raises(PermissionError), says_when_full(tmp_path):
        raise PermissionError(errno.EACCES, "no")


def test_file_hash_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_hash(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_read_json_gives_back_what_json_text_wrote(tmp_path):
    value = {"a": [1, 2.5, None], "b": "ü"}
    (tmp_path / "a.json").write_text(json_text(value))
    assert read_json(tmp_path / "a.json") == value
    assert "ü" in json_text(value)


@pytest.mark.parametrize(
    ("data", "limit", "words"),
    [
        (b'{"a": ', 1000, "not valid JSON"),
        (b"\xff\xfe", 1000, "not valid JSON"),
        (b"[" * 100_000, 10**6, "not valid JSON"),
        (json.dumps("x" * 100).encode(), 50, "larger than the 50 bytes"),
    ],
)
def test_read_json_says_what_is_wrong(tmp_path, data, limit, words):
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(BadInput, match=words) as error:
        read_json(tmp_path / "a.json", limit)
    assert str(tmp_path / "a.json") in str(error.value)


def test_read_json_of_a_missing_file_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="No such file"):
        read_json(tmp_path / "a.json")
