"""Devices and precisions are picked by name, unknown ones refused in one line; seeds repeat."""

import random

import numpy as np
import pytest
import torch

from linnet.core import device
from linnet.core.errors import BadInput


def test_auto_picks_a_device_that_works():
    assert torch.ones(2, device=device.pick_device()).sum() == 2
    assert device.pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("name", "words"), [("cdua", 'Did you mean "cuda"'), ("cuda:99", "no such device")])
def test_absent_devices_are_bad_input(name, words):
    with pytest.raises(BadInput, match=words):
        device.pick_device(name)


def test_dtypes_by_name():
    assert device.pick_dtype("fp32", "cpu") == torch.float32
    assert device.pick_dtype("bf16", "cpu") == torch.bfloat16
    assert device.pick_dtype("fp16", "cpu") == torch.float16
    with pytest.raises(BadInput, match='Did you mean "bf16"'):
        device.pick_dtype("bf61", "cpu")


@pytest.mark.parametrize(("fast", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_takes_bf16_only_where_the_processor_has_it(monkeypatch, fast, dtype):
    monkeypatch.setattr(device, "cpu_multiplies_bf16", lambda: fast)
    assert device.pick_dtype("auto", "cpu") == dtype


def test_seeds_repeat_and_differ():
    def draw(seed: int) -> tuple[float, float, float]:
        device.seed_everything(seed)
        return random.random(), float(np.random.rand()), float(torch.rand(1))

    assert draw(1) == draw(1)
    assert all(a != b for a, b in zip(draw(1), draw(2), strict=True))


def test_deterministic_mode_is_switched_on_and_off():
    device.deterministic()
    try:
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        device.deterministic(False)
    assert not torch.are_deterministic_algorithms_enabled()


def test_threads_are_set_and_checked():
    before = torch.get_num_threads()
    try:
        assert device.set_threads(2) == 2
        assert device.set_threads(None) == 2
        with pytest.raises(BadInput, match="--threads 0"):
            device.set_threads(0)
    finally:
        torch.set_num_threads(before)
