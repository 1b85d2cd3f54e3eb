"""The allocator: what is asked of glibc is taken, and freed memory is kept."""

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys
from linnet.core.allocator import keep_freed_memory
assert keep_freed_memory() is True
libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
size = 256 * 2**20
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
block = libc.malloc(size)
ctypes.memset(block, 1, size)
libc.free(block)
print(resident() // 2**20)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_freed_memory_stays_with_the_process():
    def resident(program):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert resident(PROGRAM) > 250
    assert resident(PROGRAM.replace("assert keep_freed_memory() is True", "")) < 200  # it is the call that does it
