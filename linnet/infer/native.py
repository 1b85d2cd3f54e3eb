"""The compiled pass: native.c, built once by the user's own C compiler and kept in the user's cache."""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from ctypes import POINTER, Structure, c_float, c_int, c_int64, c_void_p
from functools import cache
from pathlib import Path
from typing import ClassVar

from linnet.adapt.kernels import cache_file
from linnet.core.errors import BadInput
from linnet.core.machine import describe

SOURCE = Path(__file__).with_name("native.c")
PARTS = (SOURCE, *(SOURCE.with_name(f"native_{name}.h") for name in ("products", "attention")))
COMPILERS = ("cc", "gcc", "clang")
# Sums may be regrouped, which vectors need; infinities and NaNs stay what they are.
FLAGS = (
    *("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC"),
    *("-fno-math-errno", "-fno-trapping-math", "-fassociative-math", "-fno-signed-zeros"),
)
SECONDS = 120  # for the compiler; it takes about 4
FLOAT32, BFLOAT16, INT8, WIDENED8, WIDENED4 = range(5)  # kinds of a matrix
ACTIVATIONS = ("relu2", "swiglu", "swiglu_clamped", "gelu", "gelu_exact", "relu", "geglu")


class Linear(Structure):
    """A packed matrix; the fields of all structures here are those of native.c."""

    _fields_: ClassVar = [
        *((name, c_int64) for name in ("kind", "inputs", "outputs", "group")),
        *((name, c_void_p) for name in ("weight", "scale", "shift", "bias")),
    ]


class Block(Structure):
    """The matrices and vectors of a block."""

    _fields_: ClassVar = [
        *((name, Linear) for name in ("query", "key", "value", "output", "up", "gate", "down")),
        *((name, c_void_p) for name in ("norm1", "shift1", "norm2", "shift2", "query_gain", "key_gain")),
        *((name, c_void_p) for name in ("sink_logits", "value_gate")),
        ("mix", c_float * 2),
        ("window", c_int64),
    ]


class Net(Structure):
    """The network: its sizes and choices, its blocks, last norm and head; and memory that belongs to the library."""

    _fields_: ClassVar = [
        *((name, c_int64) for name in ("layers", "hidden", "heads", "kv_heads", "width", "mlp")),
        *((name, c_int64) for name in ("layer_norm", "qk_norm", "rotary", "mixes", "activation", "sink_tokens")),
        *((name, c_float) for name in ("epsilon", "scale")),
        ("blocks", POINTER(Block)),
        *((name, c_void_p) for name in ("norm", "shift")),
        ("head", Linear),
        ("work", c_void_p),
        ("work_bytes", c_int64),
    ]


class Run(Structure):
    """Tokens that one row of the cache reads: `count` from place `start` on, numbered from `first` in the pass."""

    _fields_: ClassVar = [(name, c_int64) for name in ("row", "start", "count", "first")]


class Pass(Structure):
    """What is read, and where keys, values and logits go."""

    _fields_: ClassVar = [
        *((name, c_int64) for name in ("runs", "tokens", "wanted", "threads")),
        *((name, c_void_p) for name in ("run", "x", "cos", "sin", "values", "after", "logits", "cache")),
        *((name, c_int64) for name in ("rows", "capacity", "layer_step", "half")),
    ]


@cache
def library() -> ctypes.CDLL:
    """Return the library, compiled now if it was not yet; raises BadInput where there is no compiler that can."""
    compiler = os.environ.get("CC") or next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise BadInput("the compiled pass needs a C compiler (cc, gcc or clang; or name one in CC), and there is none")
    built = cache_file().parent / f"native-{_mark(compiler)}.so"
    try:
        if not built.is_file():
            build(compiler, built)
        return opened(built)
    except OSError as problem:
        raise BadInput(f"{built}: the compiled pass cannot be kept or loaded: {problem}") from None


def opened(path: Path) -> ctypes.CDLL:
    """Return a library that was built; raises OSError for a file that is none."""
    found = ctypes.CDLL(str(path))
    found.linnet_pass.argtypes, found.linnet_pass.restype = [POINTER(Net), POINTER(Pass)], c_int
    found.linnet_close.argtypes, found.linnet_close.restype = [POINTER(Net)], None
    return found


def build(compiler: str, target: Path, *more: str) -> None:
    """Compile native.c into a library; raises BadInput with the compiler's first line of complaint."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / "made.so"
        words = [compiler, *FLAGS, *more, str(SOURCE), "-o", str(made), "-lm"]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise BadInput(f"{compiler}: cannot compile the pass: {problem}") from None
        if done.returncode:
            first = next(iter(done.stderr.strip().splitlines()), f"exit status {done.returncode}")
            raise BadInput(f"{compiler}: cannot compile the pass: {first}")
        made.replace(target)


def _mark(compiler: str) -> str:
    """Return a name for what is built: another source, compiler, processor or flags make another library."""
    texts = (path.read_text(encoding="utf-8") for path in PARTS)
    told = (*texts, compiler, describe()["cpu"], *FLAGS)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
