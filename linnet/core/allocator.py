"""Ask the C library to keep freed memory instead of handing it back to the system after every tensor.

A training step on a CPU frees and takes the same large blocks again and again; by default glibc maps each anew, and
the system zeroes every page of it. Keeping them halved the time of attention's products and softmax where it was tried.
"""

import ctypes
import sys

# From glibc's malloc.h: mallopt's names of its parameters.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Turn off memory-mapped allocations and trimming in glibc; return False where there is no glibc."""
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, 2**31 - 1) and mallopt(_TOP_PAD, 64 * 2**20))
