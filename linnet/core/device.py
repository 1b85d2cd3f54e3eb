"""Where the numbers are computed and in which precision; seeds and determinism."""

import os
import random
from typing import TYPE_CHECKING

from linnet.core.errors import BadInput, nearest
from linnet.core.machine import cpu_multiplies_bf16

if TYPE_CHECKING:
    import torch

DTYPE_NAMES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


def pick_device(name: str = "auto") -> "torch.device":
    """Return the device called `name` ("auto", "cpu", "cuda", "cuda:1", "mps"); raises BadInput if absent."""
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind = name.split(":")[0]
    if kind not in ("cpu", "cuda", "mps"):
        raise BadInput(f"--device {name}: not one of auto, cpu, cuda, mps.{nearest(name, ['cpu', 'cuda', 'mps'])}")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise BadInput(f"--device {name}: this machine or this torch has no such device; use --device auto") from None
    return device


def pick_dtype(name: str, device: "torch.device | str") -> "torch.dtype":
    """Return the precision of the products: "fp32", "bf16", "fp16", or with "auto" the fastest that trains well."""
    import torch

    if name == "auto":
        return _fastest_dtype(torch.device(device))
    if name not in DTYPE_NAMES:
        choices = ["auto", *DTYPE_NAMES]
        raise BadInput(f"--dtype {name}: not one of {', '.join(choices)}.{nearest(name, choices)}")
    return getattr(torch, DTYPE_NAMES[name])


def _fastest_dtype(device: "torch.device") -> "torch.dtype":
    import torch

    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "cpu" and cpu_multiplies_bf16():
        return torch.bfloat16
    return torch.float32


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, NumPy and torch, for libraries that draw from them.

    Linnet's own code draws from explicit generators and does not depend on this.
    """
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def deterministic(on: bool = True) -> None:
    """Ask torch for algorithms that give the same bits every time; an operation that has none raises."""
    import torch

    if on:
        # cuBLAS reads this when its first handle is made: before any product on the GPU.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(on)
    torch.backends.cudnn.benchmark = False


def set_threads(threads: int | None) -> int:
    """Let torch use that many CPU threads (None: its own choice); returns how many it uses now."""
    import torch

    if threads is not None:
        if threads < 1:
            raise BadInput(f"--threads {threads}: give 1 or more")
        torch.set_num_threads(threads)
    return torch.get_num_threads()
