"""Do one step of a training again, on its very batch: the loss of each token, and whether it is the logged one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from linnet.core.config import Config, OptionalInt, Positional
from linnet.core.errors import BadInput, Failed
from linnet.train.config import PretrainConfig

if TYPE_CHECKING:
    from linnet.explain.replay import Replayed
    from linnet.text.tokenizer import Tokenizer


class ReplayConfig(Config):
    """Choices of `linnet replay`."""

    run: Annotated[Path, Positional()]
    """Run folder; nothing is written there."""
    step: int = Field(ge=1)
    """Which step, from 1. The steps before it are done again, from the nearest state that the run keeps."""
    rows: int = Field(default=16, ge=1, le=4096)
    """Rows of the batch on the page."""
    corpus: str | None = None
    """Where the text is now, if it has moved since the run."""
    device: str | None = None
    """Where to compute: by default as in the run."""
    threads: OptionalInt = Field(default=None, ge=1)
    """CPU threads: by default as many as the run had."""
    page: Path = Path("runs/replay")
    """Folder of the page."""


def main(cfg: ReplayConfig) -> dict[str, Any]:
    """Write the page; raises Failed when the loss is not the logged one and nothing explains it."""
    from linnet.core import machine
    from linnet.core.console import Progress, logger
    from linnet.core.provenance import code_version, library_versions
    from linnet.core.run import read_metrics
    from linnet.explain.replay import nearest_state, replay, what_changed
    from linnet.report.replay import write_replay_page
    from linnet.train.pretraining import begin, learning, read_corpus
    from linnet.train.session import set_up

    choices, record = choices_of(cfg)
    lines = read_metrics(cfg.run)
    check_step(cfg, lines)
    precision = set_up(choices)
    choices, tokenizer = tokenizer_of(cfg.run, choices)
    data, batches = read_corpus(choices, tokenizer)
    check_data(cfg.run, record, data.data_hashes())
    state = begin(choices, batches, precision)
    start = nearest_state(cfg.run, cfg.step)
    if start is not None:
        state.restore(start)
    logger.info("from step %d on (%s)", state.step, start or "the first weights")
    logged = {line["step"]: line["loss"] for line in lines if isinstance(line.get("loss"), float)}
    first = state.step
    with Progress(cfg.step, "replay") as progress:
        objective, schedule = learning(choices)
        done = replay(
            state, objective, schedule, choices, cfg.step, logged,
            lambda step: progress.update(step.number, loss=step.numbers["loss"]),
        )  # fmt: skip
    now = {"hardware": machine.describe(), "versions": library_versions(), "code": code_version()}
    changed = what_changed(record, now)
    result = {
        "loss": done.step.numbers["loss"],
        "logged_loss": logged.get(cfg.step),
        "equal": None if cfg.step not in logged else cfg.step not in done.differences,
        "steps_done_again": cfg.step - first,
        "logged_losses_compared": done.compared,
        "logged_losses_equal": done.compared - len(done.differences),
        "targets": done.step.targets,
    }
    page = write_replay_page(cfg.page, cfg.run, cfg.step, done.batches, done.losses, tokenizer, result, cfg.rows)
    tell(done, changed)
    return {**result, "page": str(page)}


def choices_of(cfg: ReplayConfig) -> tuple[PretrainConfig, dict[str, Any]]:
    """Return what the run was asked, with the threads it had, and its record; raises BadInput for no such run."""
    from linnet.core.files import read_json

    for name in ("config.json", "record.json"):
        if not (cfg.run / name).is_file():
            raise BadInput(f"{cfg.run}: no run folder ({name} is missing); give the folder of a training")
    values, record = read_json(cfg.run / "config.json"), read_json(cfg.run / "record.json")
    if not isinstance(values, dict) or not isinstance(record, dict) or not isinstance(record.get("data"), dict):
        raise BadInput(f"{cfg.run}: its config.json or record.json is damaged; it cannot be replayed")
    if record.get("recipe") != "pretrain":
        raise BadInput(f"{cfg.run}: a run of {record.get('recipe')}; only pretrain can be replayed")
    choices = PretrainConfig.build(values, where=cfg.run / "config.json")
    hardware = record.get("hardware")
    had = hardware.get("threads") if isinstance(hardware, dict) else None
    threads = cfg.threads or (had if isinstance(had, int) and had >= 1 else choices.threads)
    return choices.but(
        threads=threads, corpus=cfg.corpus or choices.corpus, device=cfg.device or choices.device
    ), record


def check_step(cfg: ReplayConfig, lines: list[dict[str, Any]]) -> None:
    """Raise BadInput for a step that the run has not done."""
    from linnet.core.run import Run

    logged = max((line["step"] for line in lines), default=0)
    last = Run.result(cfg.run).get("steps", logged) if Run.finished(cfg.run) else logged
    if cfg.step > last:
        raise BadInput(f"--step {cfg.step}: {cfg.run} was trained for {last} steps; choose from 1 to {last}")


def tokenizer_of(run: Path, choices: PretrainConfig) -> tuple[PretrainConfig, "Tokenizer"]:
    """Return the tokenizer of the run: its own when it is finished, else made as it made it."""
    from linnet.text.tokenizer import Tokenizer
    from linnet.train.pretraining import with_tokenizer

    if (run / "tokenizer.json").is_file():
        return choices, Tokenizer.load(run)
    found, tokenizer = with_tokenizer(choices)
    return found, tokenizer


def check_data(run: Path, record: dict[str, Any], here: dict[str, str]) -> None:
    """Raise BadInput unless the tokens are those that the run learned from."""
    for name in here.keys() | record["data"].keys():
        then, now = (str(side.get(name))[:12] for side in (record["data"], here))
        if then != now:
            raise BadInput(
                f"{run}: the {name.replace('_', '-')} text has changed since the run (hash {then} then, {now} now); "
                "a step can only be replayed on the same data"
            )


def tell(done: "Replayed", changed: list[str]) -> None:
    """Say what is not equal: as a warning where the machine or the code is another, else raise Failed."""
    from linnet.core.console import logger

    if not done.differences:
        return
    step, (loss, logged) = next(iter(done.differences.items()))
    count = f"{len(done.differences)} of {done.compared} losses"
    line = f"{count} are not the logged ones, first that of step {step}: {loss!r}, logged {logged!r}"
    if not changed:
        raise Failed(f"{line}; machine, libraries and code are the same, so the step was not rebuilt")
    logger.warning("%s; not the same as in the run: %s", line, "; ".join(changed))
