"""The machine's numbers are believable and their definitions are checked against a count of our own."""

import mmap
import resource
import time

import pytest
import torch

from linnet.core import machine


def test_describe_is_plain_and_knows_the_cores():
    found = machine.describe()
    assert found["cores"] >= 1
    assert found["memory_bytes"] > 2**28
    assert found["threads"] == torch.get_num_threads()
    assert found["cpu"]


def test_memory_now_is_below_the_peak_and_sees_a_large_tensor():
    # Pages of its own: what torch allocates may be memory that an earlier test freed and the process kept.
    with mmap.mmap(-1, 64 * 2**20) as pages:
        before = machine.memory_bytes()
        large = torch.frombuffer(pages, dtype=torch.uint8).fill_(1)
        after = machine.memory_bytes()
        del large  # its view of the pages would keep them from being closed
    assert after - before > 50 * 2**20
    assert machine.peak_memory_bytes() >= after - 2**20
    # The system's own count begins at what the process held that started this one, and can only be larger.
    assert machine.peak_memory_bytes() <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_no_gpu_was_used_here():
    if not torch.cuda.is_initialized():
        assert machine.peak_gpu_memory_bytes() is None


@pytest.mark.alone
def test_matmul_limit_is_near_a_count_by_hand():
    limit = machine.matmul_limit(torch.float32, seconds=0.1)
    a = torch.ones(1024, 1024)
    a @ a
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    assert 0.2 < limit / (2 * 1024**3 / best) < 5  # loose: other processes share the machine


def test_bf16_is_claimed_only_with_its_instruction(tmp_path, monkeypatch):
    for flags, expected in (("fpu avx2", False), ("fpu avx512_bf16 avx2", True), ("amx_bf16", True)):
        (tmp_path / "cpuinfo").write_text(f"model name\t: A CPU\nflags\t\t: {flags}\n")
        monkeypatch.setattr(machine, "Path", lambda _: tmp_path / "cpuinfo")
        assert machine.cpu_multiplies_bf16() is expected
        assert machine._cpu_name() == "A CPU"
