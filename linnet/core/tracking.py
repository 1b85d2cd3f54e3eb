"""Curves for other programs: TensorBoard, or Weights & Biases and trackio by their same three calls."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any, Literal, Protocol

from linnet.core.console import logger
from linnet.core.errors import BadInput

TrackerName = Literal["tensorboard", "wandb", "trackio", "none"]


class Tracker(Protocol):
    """What a run needs of a tracker."""

    def log(self, step: int, numbers: dict[str, Any]) -> None:
        """Record the numbers of a step."""

    def finish(self) -> None:
        """Write what is pending and close."""


class NoTracker:
    """Records nothing."""

    def log(self, step: int, numbers: dict[str, Any]) -> None:
        """Record nothing."""

    def finish(self) -> None:
        """Close nothing."""


class TensorBoard:
    """Scalars in event files under `folder`/tensorboard; steps from `first_step` on replace those of a killed run."""

    def __init__(self, folder: Path, first_step: int):
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step or None)

    def log(self, step: int, numbers: dict[str, Any]) -> None:
        """Record each number as a scalar."""
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)

    def finish(self) -> None:
        """Write what is pending and close."""
        self._writer.close()


class ThreeCalls:
    """A package with wandb's init, log and finish (wandb, trackio)."""

    def __init__(self, package: str, folder: Path, config: dict[str, Any]):
        self._package = importlib.import_module(package)
        self._package.init(project="linnet", name="-".join(folder.parts[-2:]), config=config)

    def log(self, step: int, numbers: dict[str, Any]) -> None:
        """Record the numbers of a step."""
        self._package.log(numbers, step=step)

    def finish(self) -> None:
        """Write what is pending and close."""
        self._package.finish()


def check_tracker(name: str) -> None:
    """Raise BadInput when a tracker that was asked for by name is not installed; TensorBoard may be absent."""
    if name in ("wandb", "trackio") and importlib.util.find_spec(name) is None:
        raise BadInput(f"--track {name} needs the package {name}: pip install {name}")


def open_tracker(name: TrackerName, folder: Path, config: dict[str, Any], first_step: int = 0) -> Tracker:
    """Open the tracker of that name for a run; without the package tensorboard it records nothing, said once."""
    if name == "none":
        return NoTracker()
    if name != "tensorboard":
        check_tracker(name)
        return ThreeCalls(name, folder, config)
    if importlib.util.find_spec("tensorboard") is None:
        logger.info('no TensorBoard here, the curves are in metrics.jsonl (pip install "linnet[track]" adds it)')
        return NoTracker()
    return TensorBoard(folder, first_step)
