"""The nearest training that fits: one change after another, each tried by a probe of its own, until it does."""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice

from linnet.core.errors import BadInput
from linnet.explain.forecast import Forecast, forecast, most_rows
from linnet.explain.probe import Probe
from linnet.train.config import (
    DistillConfig,
    DPOConfig,
    GRPOConfig,
    PretrainConfig,
    TrainingConfig,
    TuningConfig,
    VerifierConfig,
)
from linnet.train.row_config import ClassifyConfig, EmbedConfig, MlmConfig, Seq2SeqConfig

Look = Callable[[TrainingConfig], Probe | None]  # None: no probe is needed to know that it does not fit
RESERVE = 0.9  # share of the memory that a forecast may fill: it may be wrong by a tenth


@dataclass(frozen=True)
class Limits:
    """What there is: bytes, and seconds where they are bounded."""

    memory: int
    seconds: float | None = None

    @property
    def room(self) -> int:
        """Bytes that a forecast may fill."""
        return int(RESERVE * self.memory)

    def holds(self, found: Forecast) -> bool:
        """Say whether a training fits."""
        return found.memory <= self.room and (self.seconds is None or found.seconds <= self.seconds)


@dataclass(frozen=True)
class Fit:
    """A training that fits, what it takes, and the options that make it of the one that was asked for."""

    cfg: TrainingConfig
    found: Forecast
    options: tuple[str, ...]

    def line(self) -> str:
        """Return the options as they are typed."""
        return shlex.join(self.options)


def nearest_fit(cfg: TrainingConfig, look: Look, limits: Limits) -> Fit | None:
    """Return the first change, or first few, after which a training fits; None where none of them is enough.

    In this order, each beside those before it: smaller batches and more of them a step, blocks computed again in the
    backward pass, adapters, optimizer states in 8 bits, fewer layers. Where time alone is short: fewer steps, or where
    that is not enough and replies are written before the first step, fewer questions to write them to.
    A search for what answers questions keeps its batch as long as it can: each is told from all its other passages.
    """
    whole = isinstance(cfg, EmbedConfig)
    tries = [(*change, True) for change in islice(changes(cfg), 2)] if whole else []
    for changed, options, kept in chain(tries, ((*change, False) for change in changes(cfg))):
        found = _within_memory(changed, look, limits, kept)
        if found is None:
            continue
        smaller, said = found
        if smaller != changed:
            options = (*options, "--batch-size", str(smaller.batch_size))
        if smaller.accumulate != changed.accumulate:
            options = (*options, "--accumulate", str(smaller.accumulate))
        if limits.seconds is not None and said.seconds > limits.seconds:
            quicker = _fewer_steps(smaller, said, limits.seconds) or _fewer_questions(smaller, said, look, limits)
            if quicker is None:
                continue
            return replace(quicker, options=(*options, *quicker.options))
        return Fit(smaller, said, options)
    return None


def _fewer_steps(cfg: TrainingConfig, said: Forecast, seconds: float) -> Fit | None:
    """Return the training of as many steps as there is time for; None where there is none for any."""
    steps = cfg.steps - int((said.seconds - seconds) / said.step_seconds) - 1
    if steps < 1:
        return None
    spared = (cfg.steps - steps) * said.step_seconds
    return Fit(cfg.but(steps=steps), replace(said, seconds=said.seconds - spared), ("--steps", str(steps)))


def _fewer_questions(cfg: TrainingConfig, said: Forecast, look: Look, limits: Limits) -> Fit | None:
    """Return the training whose model answers as few questions before it as the time is for; None where none helps."""
    assert limits.seconds is not None
    written = said.beside.get("answers", 0.0) + said.beside.get("pairs", 0.0)
    share = 1 - 1.1 * (said.seconds - limits.seconds) / written if written else 0.0  # a tenth in reserve
    if share <= 0:
        return None
    if isinstance(cfg, VerifierConfig):
        problems = max(2, int(cfg.problems * share))
        fewer, options = cfg.but(problems=problems), ("--problems", str(problems))
    elif isinstance(cfg, DPOConfig):
        name, count, *seed = cfg.pairs_from.split(":")
        asked = ":".join([name, str(max(1, int(int(count) * share))), *seed])
        fewer, options = cfg.but(pairs_from=asked), ("--pairs-from", asked)
    else:
        return None
    probe = look(fewer)
    found = None if probe is None else forecast(probe, fewer)
    return Fit(fewer, found, options) if found is not None and limits.holds(found) else None


def _within_memory(
    cfg: TrainingConfig, look: Look, limits: Limits, whole: bool = False
) -> tuple[TrainingConfig, Forecast] | None:
    """Return a training with batches that fit, and what it takes; what is returned has been looked at itself.

    A batch that is to stay `whole` is taken as it is or not at all.
    """
    probe = look(cfg)
    rows = 0 if probe is None else most_rows(probe, cfg, limits.room)
    while probe is not None and rows:
        smaller = with_rows(cfg, rows)
        if smaller is None or (whole and smaller != cfg):
            return None
        if smaller != cfg:
            probe = look(smaller)
        found = None if probe is None else forecast(probe, smaller)
        if found is not None and found.memory <= limits.room:
            return smaller, found
        rows = smaller.batch_size - 1
    return None


def changes(cfg: TrainingConfig) -> Iterator[tuple[TrainingConfig, tuple[str, ...]]]:
    """Yield the training with no change but its batch, then with one change after another, and their options."""
    said: tuple[str, ...] = ()
    yield cfg, said
    if not cfg.checkpointing:
        cfg, said = cfg.but(checkpointing=True), (*said, "--checkpointing")
        yield cfg, said
    adapted = _with_adapters(cfg)
    if adapted is not None:
        cfg, said = adapted, (*said, "--adapt.method", "lora")
        yield cfg, said
    if cfg.optimizer.state_bits == 32:
        cfg, said = cfg.but(optimizer=cfg.optimizer.but(state_bits=8)), (*said, "--optimizer.state-bits", "8")
        yield cfg, said
    if isinstance(cfg, PretrainConfig | Seq2SeqConfig | ClassifyConfig | EmbedConfig) and not _has_parent(cfg):
        layers = cfg.model.num_layers
        while layers > 1:
            layers //= 2
            cfg = cfg.but(model=cfg.model.but(num_layers=layers))
            yield cfg, (*said, "--model.num-layers", str(layers))


def with_rows(cfg: TrainingConfig, rows: int) -> TrainingConfig | None:
    """Return a training whose steps have as many rows as before, in batches of at most `rows`; None where none is left.

    Replies stay in whole groups, and a question keeps another's passage to be told from. Replies that are learned from
    several times are handed out batch by batch, so their steps have fewer rows instead.
    """
    unit = cfg.group if isinstance(cfg, GRPOConfig) else 2 if isinstance(cfg, EmbedConfig) else 1
    step = cfg.batch_size * cfg.accumulate
    sizes = range(min(rows, cfg.batch_size), 0, -1)
    size = next((size for size in sizes if step % size == 0 and size % unit == 0), None)
    if size is None:
        return None
    if isinstance(cfg, GRPOConfig) and cfg.updates > 1:
        return cfg.but(batch_size=size)
    return cfg.but(batch_size=size, accumulate=step // size) if size != cfg.batch_size else cfg


def refuse(recipe: str, found: Forecast | None, limits: Limits, fit: Fit | None) -> BadInput:
    """Return the one line for a training that does not fit: what it takes, what there is, and what would fit."""
    takes = []
    if found is None:
        takes.append(f"more memory than the {gigabytes(limits.memory)} there are for its weights alone")
    elif found.memory > limits.room:
        takes.append(
            f"about {gigabytes(found.memory)} of memory, and of {gigabytes(limits.memory)} a tenth is kept in reserve"
        )
    if found is not None and limits.seconds is not None and found.seconds > limits.seconds:
        takes.append(f"about {hours(found.seconds)}, and there are {hours(limits.seconds)}")
    if fit is None:
        return BadInput(f"linnet {recipe} takes {'; '.join(takes)}; no change of its options that is known here helps")
    instead = f"{gigabytes(fit.found.memory)} and {hours(fit.found.seconds)}"
    smaller = recipe == "embed" and "--batch-size" in fit.options
    fewer = " (each question is then told from fewer passages)" if smaller else ""
    return BadInput(f"linnet {recipe} takes {'; '.join(takes)}; this fits, in {instead}: {fit.line()}{fewer}")


def gigabytes(size: float) -> str:
    """Return bytes in words."""
    return f"{size / 1e9:.2f} GB"


def hours(seconds: float) -> str:
    """Return seconds in words."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _has_parent(cfg: TrainingConfig) -> bool:
    return isinstance(cfg, MlmConfig | Seq2SeqConfig | ClassifyConfig | EmbedConfig) and cfg.parent is not None


def _with_adapters(cfg: TrainingConfig) -> TrainingConfig | None:
    """Return the training of adapters in the place of all weights; None where it is one already or has no parent."""
    given = isinstance(cfg, TuningConfig) or _has_parent(cfg) or (isinstance(cfg, DistillConfig) and cfg.parent)
    if not given or not isinstance(
        cfg, TuningConfig | MlmConfig | Seq2SeqConfig | ClassifyConfig | EmbedConfig | DistillConfig
    ):
        return None
    if cfg.adapt.method != "full":
        return None
    return cfg.but(adapt=cfg.adapt.but(method="lora"))
