"""What this machine is and can do: description, measured matmul limit, memory in use and at its peak."""

import os
import platform
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# (rows, in, out): what a training step's largest products look like; the best one counts as the limit.
CPU_SHAPES = ((2048, 2048, 2048), (4096, 1024, 1024))
GPU_SHAPES = ((8192, 8192, 8192), (16384, 4096, 4096))


def describe() -> dict[str, Any]:
    """Return the hardware and system as plain values; says nothing of GPUs while torch is not imported."""
    found: dict[str, Any] = {
        "system": platform.platform(),
        "cpu": _cpu_name(),
        "cores": cores(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        found["threads"] = torch.get_num_threads()
        if torch.cuda.is_available():
            found["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return found


def cores() -> int:
    """Return how many processor cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def matmul_limit(dtype: "torch.dtype", device: "torch.device | str" = "cpu", seconds: float = 0.3) -> float:
    """Measure the FLOP/s of large matrix products (2 x rows x in x out each): median of timings, best shape."""
    import torch

    device = torch.device(device)
    shapes = CPU_SHAPES if device.type == "cpu" else GPU_SHAPES
    return max(_product_speed(shape, dtype, device, seconds / len(shapes)) for shape in shapes)


def peak_memory_bytes(device: "torch.device | str" = "cpu") -> int:
    """Return the most memory this process has held: resident set on a CPU, allocated by torch on a GPU."""
    if not str(device).startswith("cuda"):
        # On Linux ru_maxrss begins at what the process held that started this program: 1 GB for a child of a large one.
        if peak := _proc_fact("/proc/self/status", "VmHWM"):
            return int(peak.split()[0]) * 1024
        # ru_maxrss counts KiB on Linux and bytes on macOS.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    import torch

    return torch.cuda.max_memory_allocated(device)


def peak_gpu_memory_bytes() -> int | None:
    """Return the most memory torch has held on any one GPU; None where no GPU was used."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return max(torch.cuda.max_memory_allocated(index) for index in range(torch.cuda.device_count()))


def memory_bytes(device: "torch.device | str" = "cpu") -> int:
    """Return the memory in use now: resident set on a CPU, reserved by torch on a GPU."""
    if str(device).startswith("cuda"):
        import torch

        return torch.cuda.memory_reserved(device)
    try:
        resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:  # no /proc outside Linux: the peak is the nearest thing known
        return peak_memory_bytes()
    return resident_pages * os.sysconf("SC_PAGE_SIZE")


def _product_speed(shape: tuple[int, int, int], dtype: "torch.dtype", device: "torch.device", seconds: float) -> float:
    import torch

    rows, width_in, width_out = shape
    inputs = torch.ones(rows, width_in, dtype=dtype, device=device)
    weight = torch.ones(width_out, width_in, dtype=dtype, device=device)
    timings: list[float] = []
    with torch.no_grad():
        for _ in range(2):  # the first product also picks the kernel and packs
            torch.nn.functional.linear(inputs, weight)
        _wait(device)
        end = time.perf_counter() + seconds
        while len(timings) < 3 or time.perf_counter() < end:
            start = time.perf_counter()
            torch.nn.functional.linear(inputs, weight)
            _wait(device)
            timings.append(time.perf_counter() - start)
    return 2 * rows * width_in * width_out / statistics.median(timings)


def _wait(device: "torch.device") -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def cpu_multiplies_bf16() -> bool:
    """Return whether this processor has bf16 products in hardware; without, bf16 is slower than fp32."""
    flags = _cpu_fact("flags").split()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _cpu_name() -> str:
    return _cpu_fact("model name") or platform.processor() or platform.machine()


def _cpu_fact(name: str) -> str:
    return _proc_fact("/proc/cpuinfo", name)


def _proc_fact(path: str, name: str) -> str:
    """Return a line's value from a file of /proc, empty where there is none (other systems)."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    found = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in found if key.strip() == name), "")
