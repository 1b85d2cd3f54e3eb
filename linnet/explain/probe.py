"""A few steps of the real network in a fresh process: what they take of memory and time. No torch on this side of it.

What a step holds at its most is counted where torch takes and gives back memory, so that it can be told for any batch
size: the tensors of the rows grow in a straight line with them, all else stays. What the process holds besides, and
what its allocator cannot use again, is measured as the process is.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linnet.core.errors import BadInput
from linnet.train.config import TrainingConfig


@dataclass(frozen=True)
class Sight:
    """What steps on batches of `rows` took, summed over two batches a step where more are accumulated."""

    rows: int
    learning: int
    """Bytes that forward and backward held at their most, beyond weights and optimizer states."""
    seconds: float
    """Seconds of a step of `batches` batches."""
    resident: int
    """Bytes of the process after these steps."""


@dataclass(frozen=True)
class Work:
    """What a run does beside learning and reading rows: the seconds of it, and how often it comes.

    Before the first step, with each step, at each evaluation, at the end; a part of it may be a fraction.
    """

    name: str
    seconds: float
    before: float = 0.0
    each_step: float = 0.0
    each_look: float = 0.0
    last: float = 0.0


@dataclass(frozen=True)
class Writing:
    """Replies that are written at once: bytes of the cache a row, rows in a probe, rows in a run."""

    row: int = 0
    probed: int = 0
    rows: int = 0


NO_WRITING = Writing()


@dataclass(frozen=True)
class Probe:
    """What was found of a training before its first step: bytes, seconds, rows."""

    total: int
    trainable: int
    weights: int
    gradients: int
    states: int
    floor: int
    """Bytes of the process before the network: interpreter, libraries, data."""
    outputs: int
    """Numbers that the head gives for a row."""
    capacity: int
    """Bytes of memory that the device has."""
    places: int
    """Tokens in a row that is as wide as the widest batch."""
    share: float
    """Mean width of a batch beside the widest."""
    batches: int
    """Batches in a step that was looked at."""
    sights: tuple[Sight, ...]
    """By rows, ascending."""
    updating: int
    """Bytes that the optimizer held at its most."""
    evaluating: int
    """Bytes that reading a row without learning takes."""
    resident: int
    """Bytes of the process at its end, after all that a run does."""
    ready_seconds: float
    update_seconds: float
    row_seconds: float
    """Seconds to read a row without learning."""
    save_seconds: float
    prove_seconds: float
    before: int
    each: int
    last: int
    evaluated: int
    works: tuple[Work, ...] = ()
    writing: Writing = NO_WRITING


def take_probe(program: str, recipe: str, cfg: TrainingConfig) -> Probe:
    """Look at a training in a fresh process of `python -m program`; raises BadInput as the recipe would."""
    with tempfile.TemporaryDirectory(prefix="linnet-plan-") as folder:
        job, result = Path(folder) / "job.json", Path(folder) / "probe.json"
        choices = cfg.model_dump(mode="json")
        started = {"recipe": recipe, "choices": choices, "result": str(result), "began": time.time()}
        job.write_text(json.dumps(started))
        done = subprocess.run([sys.executable, "-m", program, str(job)], capture_output=True, text=True, check=False)
        if not result.is_file():
            raise BadInput(
                f"the probe of {recipe} ended with {done.returncode}: {' '.join(done.stderr.split())[-300:]}"
            )
        found = json.loads(result.read_text())
    if "refused" in found:
        raise BadInput(found["refused"])
    made = {
        "sights": tuple(Sight(**sight) for sight in found["sights"]),
        "works": tuple(Work(**work) for work in found["works"]),
        "writing": Writing(**found["writing"]),
    }
    values: dict[str, Any] = {**found, **made}
    return Probe(**values)
