"""What every training recipe does around its loop: set the machine up, start or go on, keep pace and the best."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from linnet.adapt.surgery import counts
from linnet.core.allocator import keep_freed_memory
from linnet.core.console import Progress, logger
from linnet.core.device import deterministic, pick_device, pick_dtype, seed_everything, set_threads
from linnet.core.errors import BadInput
from linnet.core.files import replace_folder
from linnet.core.interrupt import Interrupt
from linnet.core.machine import matmul_limit, memory_bytes
from linnet.core.run import Run, differences
from linnet.model.flops import training_flops_per_token
from linnet.model.network import Network
from linnet.train import loop
from linnet.train.config import TrainingConfig
from linnet.train.loop import Step
from linnet.train.objectives import Objective
from linnet.train.precision import Precision
from linnet.train.schedules import schedule_of
from linnet.train.state import Batches, Checkpoints, TrainState


def set_up(cfg: TrainingConfig) -> Precision:
    """Set threads, allocator, seeds and determinism; return device and type of the products as one object."""
    keep_freed_memory()
    set_threads(cfg.threads)
    device = pick_device(cfg.device)
    deterministic(cfg.deterministic)
    seed_everything(cfg.seed)
    return Precision(pick_dtype(cfg.dtype, device), device)


def already_done(cfg: TrainingConfig, recipe: str) -> bool:
    """Say whether `--resume` finds the run finished; raises BadInput when unfinished work would be thrown away."""
    saved = Checkpoints(cfg.out / "state").found()
    if not cfg.resume and saved and not Run.finished(cfg.out):
        raise BadInput(
            f"{cfg.out}: holds an unfinished run ({saved[-1].name}); go on with --resume, or choose another --out"
        )
    done = cfg.resume and Run.finished(cfg.out) and not differences(cfg.out, cfg, recipe)
    if done:
        logger.info("%s is finished; nothing to do", cfg.out)
    return done


def go_on(cfg: TrainingConfig, state: TrainState, saved: Checkpoints, run: Run) -> None:
    """Restore the newest whole state when resuming, and take back what was logged after it."""
    if not cfg.resume:
        return
    path, damaged = saved.restore_newest(state)
    for line in damaged:
        logger.warning("%s; taking the one before", line)
    run.cut_after(state.step)
    logger.info("going on after step %d", state.step) if path else logger.info("no saved state yet; starting anew")


class Session:
    """A training in its run folder: steps that are logged, shown, saved, and end whole when somebody asks to stop.

    ```
    with training(cfg, "sft", state, parents=[cfg.parent]) as session:
        for step in session.steps(objective):
            if step.every(cfg.eval_every): session.note(held_out_loss=...)
        save_model(cfg.out, ...); session.run.finish(...)
    ```
    """

    def __init__(self, cfg: TrainingConfig, state: TrainState, run: Run, interrupt: Interrupt, progress: Progress):
        """Use `training`."""
        self.cfg, self.state, self.run = cfg, state, run
        self.enough = False  # a recipe that sets it ends the training after this step
        self._interrupt, self._progress = interrupt, progress
        self._saved = Checkpoints(cfg.out / "state")
        self._kept = Checkpoints(cfg.out / "kept", keep=cfg.steps)
        self._numbers: dict[str, float] = {}

    def note(self, **numbers: float) -> None:
        """Log numbers with this step's line."""
        self._numbers |= numbers

    def steps(self, objective: Objective, pace: "Pace | None" = None) -> Iterator[Step]:
        """Yield each finished step of `loop.steps`, with the choices of the config; raises Stopped on a signal."""
        cfg, run = self.cfg, self.run
        for step in loop.steps(self.state, objective, schedule_of(cfg), cfg.steps, cfg.accumulate, cfg.clip):
            self._numbers = {}
            if step.every(cfg.log_every):
                self._numbers = {**step.numbers, **(pace.numbers(step) if pace else {})}
                self._show(step)
            yield step
            if self._numbers:
                run.log(step.number, **self._numbers)
            if step.every(cfg.keep_every) and step.number < step.total:
                self._kept.save(self.state)
            if step.every(cfg.save_every) or self._interrupt.asked:
                path = self._saved.save(self.state)
                self._interrupt.leave(
                    f"stopped after step {step.number} and saved {path}; the same command with --resume goes on"
                )
            if self.enough:
                return

    def _show(self, step: Step) -> None:
        numbers = self._numbers
        speed = numbers.get("tokens_per_second", numbers["targets_per_second"])
        memory = int(numbers.get("memory_bytes", memory_bytes(self.state.device)))
        self._progress.update(
            step.number,
            loss=numbers["loss"],
            tokens_per_second=speed,
            matmul_share=numbers.get("matmul_share"),
            memory_bytes=memory,
        )


@contextmanager
def training(
    cfg: TrainingConfig,
    recipe: str,
    state: TrainState,
    parents: Sequence[Path] = (),
    data_hashes: Mapping[str, str] | None = None,
) -> Iterator[Session]:
    """Open the run folder of a training, going on from its newest saved state with `--resume`."""
    with (
        Run.start(
            cfg.out, cfg, recipe, parents=parents, data_hashes=data_hashes, resume=cfg.resume, track=cfg.track
        ) as run,
        Interrupt() as interrupt,
        Progress(cfg.steps, recipe) as progress,
    ):
        run.note(parameters=counts(state.model))
        session = Session(cfg, state, run, interrupt, progress)
        go_on(cfg, state, session._saved, run)
        yield session


class OneBatch:
    """The first batch of a source, again and again."""

    def __init__(self, source: Batches):
        self._batch = source.next()

    def next(self) -> Any:
        """Return the batch."""
        return self._batch

    def state(self) -> dict[str, Any]:
        """Return nothing: there is no position."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Do nothing."""


class Pace:
    """Tokens a second and the share of the machine's measured matmul limit that they make."""

    def __init__(self, model: Network, precision: Precision, tokens_per_row: int, tokens_per_step: int):
        self.tokens_per_step, self.device = tokens_per_step, precision.device
        self.flops_per_token = training_flops_per_token(model.config, tokens_per_row)
        learn, total = counts(model).values()
        if learn < total / 2:  # of the three products of a weight, the one for its own gradient is not made
            self.flops_per_token = 2 * self.flops_per_token // 3
        self.dtype, self.limit = precision.dtype, 0.0
        self.measure_limit()

    def measure_limit(self, seconds: float = 0.3) -> None:
        """Time large products again and keep the best: on a shared machine one look may catch a busy moment."""
        self.limit = max(self.limit, matmul_limit(self.dtype, self.device, seconds))

    def numbers(self, step: Step) -> dict[str, float]:
        """Return tokens_per_second, matmul_share and memory_bytes of a step."""
        speed = self.tokens_per_step / step.seconds
        share = speed * self.flops_per_token / self.limit
        return {"tokens_per_second": speed, "matmul_share": share, "memory_bytes": memory_bytes(self.device)}


class Best:
    """The weights with the best held-out loss so far, kept beside the saved states."""

    def __init__(self, folder: Path):
        self.folder = folder / "best"

    def keep(self, model: Network) -> None:
        """Save the weights as they are now."""
        with replace_folder(self.folder) as new:
            save_file(
                {name: p.detach().cpu().contiguous() for name, p in model.named_parameters() if p.requires_grad},
                new / "w.safetensors",
            )

    @torch.no_grad()
    def take(self, model: Network) -> None:
        """Put the kept weights back into the model, if any were kept."""
        path = self.folder / "w.safetensors"
        if path.is_file():
            try:
                weights = load_file(path)
            except SafetensorError as error:
                raise BadInput(f"{path}: the best weights cannot be read, cut short or damaged ({error})") from None
            for name, parameter in model.named_parameters():
                if parameter.requires_grad:
                    parameter.copy_(weights[name])
