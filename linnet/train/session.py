"""What every training recipe does around its loop: set the machine up, start or go on, keep pace and the best."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from linnet.core.allocator import keep_freed_memory
from linnet.core.console import logger
from linnet.core.device import deterministic, pick_device, pick_dtype, seed_everything, set_threads
from linnet.core.errors import BadInput
from linnet.core.files import replace_folder
from linnet.core.machine import matmul_limit, memory_bytes
from linnet.core.run import Run, differences
from linnet.model.decoder import Decoder
from linnet.model.flops import training_flops_per_token
from linnet.train.config import TrainingConfig
from linnet.train.loop import Step
from linnet.train.precision import Precision
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

    def __init__(self, model: Decoder, precision: Precision, tokens_per_row: int, tokens_per_step: int):
        self.tokens_per_step, self.device = tokens_per_step, precision.device
        self.flops_per_token = training_flops_per_token(model.config, tokens_per_row)
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

    def keep(self, model: Decoder) -> None:
        """Save the weights as they are now."""
        with replace_folder(self.folder) as new:
            save_file(
                {name: p.detach().cpu().contiguous() for name, p in model.named_parameters()}, new / "w.safetensors"
            )

    @torch.no_grad()
    def take(self, model: Decoder) -> None:
        """Put the kept weights back into the model, if any were kept."""
        path = self.folder / "w.safetensors"
        if path.is_file():
            try:
                weights = load_file(path)
            except SafetensorError as error:
                raise BadInput(f"{path}: the best weights cannot be read, cut short or damaged ({error})") from None
            for name, parameter in model.named_parameters():
                parameter.copy_(weights[name])
