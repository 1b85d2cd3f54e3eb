"""The other side of a probe: the process that makes the steps of the real network and measures them."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from linnet.adapt.surgery import counts
from linnet.batches.questions import QuestionBatch
from linnet.core.errors import BadInput
from linnet.core.machine import memory_bytes
from linnet.explain.beginnings import begin
from linnet.explain.first_step import Beginning, Elsewhere, Prove, factors_of, places_in, rows_in
from linnet.explain.probe import Probe, Sight, Work
from linnet.model.moe import MixtureOfExperts
from linnet.train import loop
from linnet.train.config import TrainingConfig
from linnet.train.session import Pace, set_up, training
from linnet.train.validate import mean_numbers

# Multiply-adds that a step which is looked at may take: some seconds of a laptop's core.
WORK = 2e11
TIMED = 3  # steps of each size; the median counts
WANDERINGS = 12  # more steps where there are experts, each with routers that send tokens to others
RENEWALS, RENEWING = 16, 60.0  # most steps on batches of a run's own, and seconds of them
# Bytes that a process may need for each that is kept for the backward pass, while it is not known better.
CAUTION = 4


@dataclass(frozen=True)
class Times:
    """What was measured of the process as it is: by rows, the seconds of a step and the bytes after it; the rest."""

    steps: dict[int, tuple[float, int]]
    update: float
    reading: float
    saving: float
    proving: float
    works: tuple[Work, ...]
    resident: int


def look(cfg: TrainingConfig, recipe: str, began: float, elsewhere: Elsewhere) -> Probe:
    """Make the steps in this process and return what they took; what a run does `elsewhere` is done too."""
    precision = set_up(cfg)
    beginning = begin(cfg, precision, elsewhere)
    state, measuring = beginning.state, beginning.measuring
    weights = bytes_of([*state.model.parameters(), *state.model.buffers()])
    floor = memory_bytes(state.device) - weights - beginning.grown
    with tempfile.TemporaryDirectory(prefix="linnet-plan-") as folder:
        inside = cfg.but(out=Path(folder) / "run", resume=False, track="none" if cfg.track == "wandb" else cfg.track)
        with training(inside, recipe, state):
            if beginning.paces:
                Pace(state.model, precision, state.model.config.context_length, 1)
            ready = time.time() - began - beginning.spent
            sizes = sizes_of(beginning, cfg.batch_size)
            times = _times(beginning, sizes, inside, elsewhere.prove)
            peaks = {size: _peaks(beginning, size, min(cfg.accumulate, 2), cfg.clip) for size in sizes}
            with _recorded() as taken:
                _read(beginning, sizes[-1])
    one, known = places_in(beginning.rows(1)), counts(state.model)
    return Probe(
        total=known["total"],
        trainable=known["trainable"],
        weights=weights,
        gradients=bytes_of([p for p in state.model.parameters() if p.requires_grad]),
        states=bytes_of([t for part in state.optimizer.parts for s in part.state.values() for t in s.values()]),
        floor=floor,
        outputs=0 if isinstance(beginning.widest, QuestionBatch) else one * state.model.config.outputs,
        capacity=capacity(state.device),
        places=one,
        share=beginning.share,
        batches=min(cfg.accumulate, 2),
        sights=tuple(Sight(size, peaks[size][0], *times.steps[size]) for size in sizes),
        updating=max(updating for _, updating in peaks.values()),
        evaluating=max(held for held, _ in levels(taken, state.device.type)) // sizes[-1],
        resident=times.resident,
        ready_seconds=ready,
        update_seconds=times.update,
        row_seconds=times.reading,
        save_seconds=times.saving,
        prove_seconds=times.proving,
        before=measuring.before,
        each=measuring.each,
        last=measuring.last,
        evaluated=measuring.batch,
        works=times.works,
        writing=beginning.writing,
    )


def _times(beginning: Beginning, sizes: list[int], cfg: TrainingConfig, prove: Prove) -> Times:
    """Make the steps, then all else that a run does, and measure the process after it.

    Reading comes first where a run begins with it, which leaves holes in memory. One row next: what a step takes
    whatever its size. Then the largest batch, while nothing larger or smaller has left holes that a run would not have.
    """
    state, batches, largest = beginning.state, min(cfg.accumulate, 2), sizes[-1]
    if beginning.measuring.before:
        _read(beginning, largest)
    steps: dict[int, tuple[float, int]] = {}
    for size in dict.fromkeys((sizes[0], largest, *sizes)):
        if size == largest:
            _renew(beginning, largest, cfg)
        steps[size] = _timed(beginning, size, batches, cfg.clip)
    alone = steps[largest][0] if batches == 1 else _timed(beginning, largest, 1, cfg.clip)[0]
    reading = _seconds(lambda: _read(beginning, largest)) / largest
    saving = _seconds(lambda: state.save(cfg.out / "saved")) if cfg.save_every else 0.0
    proving = _seconds(lambda: prove(state.model, cfg.steps, cfg.seed, True)) if cfg.prove else 0.0
    works = tuple(Work(one.name, one.take(), *one.times) for one in beginning.chores)
    update = 0.0 if batches == 1 else max(0.0, 2 * alone - steps[largest][0])
    return Times(steps, update, reading, saving, proving, works, memory_bytes(state.device))


def answer(job: Path, recipes: dict[str, type[TrainingConfig]], elsewhere: Elsewhere) -> None:
    """Be the fresh process: read what to look at, look, write what was found or why it is refused."""
    asked = json.loads(job.read_text())
    cfg = recipes[asked["recipe"]].build(asked["choices"], where="plan")
    try:
        found: dict[str, Any] = asdict(look(cfg, asked["recipe"], asked["began"], elsewhere))
    except BadInput as error:
        found = {"refused": str(error)}
    Path(asked["result"]).write_text(json.dumps(found))


def capacity(device: torch.device) -> int:
    """Return the bytes of memory that a device has."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def free(device: torch.device) -> int:
    """Return the bytes of memory that nobody uses now."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def sizes_of(beginning: Beginning, most: int) -> list[int]:
    """Return the numbers of rows to look at, ascending: one, the batch or what of it is light enough, and its half."""
    state = beginning.state
    work = 3 * factors_of(state.model) * places_in(beginning.rows(1))
    room = free(state.device) // (2 * CAUTION * max(1, kept(beginning, 2) - kept(beginning, 1)))
    largest = max(1, min(most, max(2, int(WORK / max(1, work))), room))
    return sorted({1, (largest + 1) // 2, largest})


def kept(beginning: Beginning, rows: int) -> int:
    """Return the bytes that a forward pass keeps for the backward pass, weights included."""
    sizes: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    state = beginning.state
    state.model.train()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), state.precision.autocast():
        loss = beginning.objective(state.model, beginning.rows(rows).to(state.device))
    del loss
    return sum(sizes.values())


def levels(events: list[Any], device: str) -> Iterator[tuple[int, bool]]:
    """Yield the bytes held after each time that torch took or gave back memory, and whether the optimizer was on."""
    events = sorted(events, key=lambda event: event.start_ns())
    held, updating = 0, False
    yield held, updating
    for event in events:
        updating = updating or event.name().startswith("Optimizer.step#")
        if event.name() == "[memory]" and str(event.device_type()).lower().endswith(device):
            held += event.nbytes()
            yield held, updating


def _timed(beginning: Beginning, rows: int, batches: int, clip: float) -> tuple[float, int]:
    """Return the seconds of a step, and the bytes of the process after some; the first warms up and does not count."""
    seconds = [step.seconds for step in _steps(beginning, rows, batches, clip, TIMED + 1)]
    _wander(beginning, rows, batches, clip)
    return median(seconds[1:]), memory_bytes(beginning.state.device)


def _wander(beginning: Beginning, rows: int, batches: int, clip: float) -> None:
    """Let experts see other numbers of tokens in each step, as they will: the process grows by it for a long while."""
    routers = [m.router.weight for m in beginning.state.model.modules() if isinstance(m, MixtureOfExperts)]
    if not routers:
        return
    kept, dice = [weight.detach().clone() for weight in routers], torch.Generator().manual_seed(0)
    for number in range(WANDERINGS):
        for weight in routers:
            weight.detach().copy_(torch.randn(weight.shape, generator=dice) * weight.shape[1] ** -0.5)
        list(_steps(beginning, rows, batches, clip, 1))
        if number % 6 == 5:  # what is held out needs other sizes again
            _read(beginning, max(rows, min(beginning.measuring.batch, 4 * rows)))
    for weight, before in zip(routers, kept, strict=True):
        weight.detach().copy_(before)


def _renew(beginning: Beginning, largest: int, cfg: TrainingConfig) -> None:
    """Make steps on the batches that a run would draw or write: each is of another width, and the process grows by it.

    They come before those on the widest batch, which in a run does not come first and finds no hole that it fits in.
    """
    if not beginning.renewed or rows_in(beginning.state.batches.next()) > largest:
        return
    state, until = beginning.state, time.perf_counter() + RENEWING
    for _ in range(RENEWALS):
        list(loop.steps(state, beginning.objective, lambda _: 0.0, state.step + 1, min(cfg.accumulate, 2), cfg.clip))
        if time.perf_counter() > until:
            return


def _steps(beginning: Beginning, rows: int, batches: int, clip: float, count: int) -> Iterator[loop.Step]:
    state = beginning.state
    kept, state.batches = state.batches, _One(beginning.rows(rows))
    try:
        # A learning rate of 0: the work is the same, and weights that stay can be proved afterwards.
        yield from loop.steps(state, beginning.objective, lambda _: 0.0, state.step + count, batches, clip)
    finally:
        state.batches = kept


class _One:
    """A source of one batch, again and again."""

    def __init__(self, batch: Any):
        self.batch = batch

    def next(self) -> Any:
        return self.batch

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


def _read(beginning: Beginning, rows: int) -> None:
    mean_numbers(beginning.state.model, [beginning.rows(rows)], beginning.state.precision, beginning.objective)


def _peaks(beginning: Beginning, rows: int, batches: int, clip: float) -> tuple[int, int]:
    """Return the most bytes that a step held beyond what it began with, until the optimizer and from then on."""
    with _recorded() as events:
        list(_steps(beginning, rows, batches, clip, 1))
    most = {False: 0, True: 0}
    for held, updating in levels(events, beginning.state.device.type):
        most[updating] = max(most[updating], held)
    return most[False], most[True]


@contextmanager
def _recorded() -> Iterator[list[Any]]:
    """Yield a list that holds, once the region is left, everything that torch did in it."""
    events: list[Any] = []
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        yield events
    events += profiler.profiler.kineto_results.events()


def _seconds(act: Callable[[], Any]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def bytes_of(tensors: list[torch.Tensor]) -> int:
    """Return the bytes of tensors, those that share memory counted once."""
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())
