"""Spend compute at test time: many tries at each problem, a rule that chooses among them, accuracy against compute."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from linnet.core.config import ByCommas, Config, OptionalFloat, OptionalInt, Positional
from linnet.core.errors import BadInput

if TYPE_CHECKING:
    from linnet.infer.search import Asker
    from linnet.tasks.task import Example, Task


class SearchConfig(Config):
    """Choices of `linnet search`."""

    run: Annotated[Path, Positional()]
    """Run folder of a model that chats."""
    verifier: Path | None = None
    """Run folder of a verifier; without one only the majority can choose."""
    task: str = "sums"
    """Task whose problems are tried."""
    source: str = "world"
    """Where the problems come from: `world[:COUNT[:SEED]]`, a folder, a file or a hub name."""
    split: str | None = None
    """Split of the problems; by default the one that the task is measured on."""
    problems: int = Field(default=200, ge=2)
    """Most problems."""
    tries: Annotated[tuple[int, ...], ByCommas] = (1, 2, 4, 8, 16, 32)
    """Tries a problem at which accuracy is measured; the most of them are sampled."""
    temperature: float = Field(default=0.8, gt=0, le=100)
    """Temperature of the tries."""
    calculator: bool = False
    """Answer `<<6*7=` in the tries with the calculator."""
    thresholds: Annotated[tuple[float, ...], ByCommas] = (0.5, 0.8, 0.9, 0.95, 0.98)
    """With a verifier: how sure it has to be of a try for no more to be made, a point of a curve each."""
    gate: OptionalFloat = Field(default=None, gt=0, lt=1)
    """Really sample only where the verifier is less sure than this, and report this one point instead of curves."""
    budget: OptionalInt = Field(default=None, ge=1)
    """With --gate: tokens of a problem after which no more tries are made."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of the tries and of the intervals."""
    device: str = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1, mps."""
    dtype: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Type of weights and products."""
    threads: OptionalInt = Field(default=None, ge=1)
    """CPU threads; none leaves the choice to torch."""
    out: Path = Path("runs/search")
    """Run folder."""

    @field_validator("tries")
    @classmethod
    def _sizes(cls, tries: tuple[int, ...]) -> tuple[int, ...]:
        if not tries or min(tries) < 1 or max(tries) > 1024:
            raise ValueError("give numbers of tries from 1 to 1024")
        return tuple(sorted(set(tries)))


def main(cfg: SearchConfig) -> Path:
    """Sample, choose and measure; write curves as numbers and as a page, every try as a row, and return the folder."""
    import time

    from linnet.core.device import set_threads
    from linnet.core.files import write_atomic
    from linnet.core.run import Run
    from linnet.evals.reasoning import diagnose_all, tally
    from linnet.evals.search_curve import chosen, curves, json_lines, point, rows_of
    from linnet.infer.search import first, sample, weighted
    from linnet.report.judging import write_search_page
    from linnet.tasks import find

    set_threads(cfg.threads)
    if cfg.gate is not None and cfg.verifier is None:
        raise BadInput("--gate asks how sure the verifier is; name one with --verifier")
    task = find(cfg.task)
    if task.form != "write":
        raise BadInput(f"--task {cfg.task}: its answers are chosen, not written; there is nothing to try again")
    examples = problems(cfg, task)
    parents = [cfg.run] if cfg.verifier is None else [cfg.run, cfg.verifier]
    with Run.start(cfg.out, cfg, "search", parents=parents, track="none") as run:
        asker = open_asker(cfg, task, examples)
        start = time.perf_counter()
        tries = sample(asker, len(examples), max(cfg.tries), min(cfg.tries), cfg.gate, cfg.budget)
        seconds = time.perf_counter() - start
        write_atomic(cfg.out / "tries.jsonl", json_lines(rows_of(examples, asker.replies, tries)))
        if cfg.gate is None:
            greedy = sample(asker.greedy(), len(examples), 1)
            found = curves(tries, greedy, cfg.tries, cfg.thresholds if cfg.verifier else (), cfg.seed)
            protocol = f"{len(tries):,} problems of {cfg.task}, {max(cfg.tries)} tries each at temperature"
            write_search_page(cfg.out, found, f"{protocol} {cfg.temperature:g}.")
        else:
            one = point(tries, 1, first, cfg.seed).numbers()
            found = {"one_try": one, "gated": chosen(tries, weighted, cfg.seed).numbers()}
        run.finish(
            problems=len(examples),
            sampling_seconds=seconds,
            tokens=sum(one.tokens for each in tries for one in each),
            mistakes=tally(diagnose_all(task, examples, asker.replies)) if task.name == "sums" else {},
            **found,
        )
    return cfg.out


def problems(cfg: SearchConfig, task: "Task") -> "list[Example]":
    """Return the problems; raises BadInput where there are fewer than two."""
    from itertools import islice

    from linnet.tasks.rows import measured_split, read

    split = cfg.split or measured_split(task, cfg.source)
    found = list(task.examples(islice(read(task, cfg.source, split), cfg.problems)))
    if len(found) < 2:
        raise BadInput(f"{cfg.source}: {len(found)} problem; an interval needs two at least")
    return found


def open_asker(cfg: SearchConfig, task: "Task", examples: "list[Example]") -> "Asker":
    """Return what tries the problems: the model, and the verifier where one was named."""
    from linnet.artifacts import load_model
    from linnet.core.device import pick_device, pick_dtype
    from linnet.evals.verifying import open_verifier
    from linnet.infer.config import SamplingConfig
    from linnet.infer.search import Asker

    device = pick_device(cfg.device)
    dtype = pick_dtype(cfg.dtype, device)
    model, tokenizer = load_model(cfg.run, device, dtype)
    verifier = None if cfg.verifier is None else open_verifier(cfg.verifier, device, dtype)
    sampling = SamplingConfig(
        temperature=cfg.temperature, max_tokens=task.max_tokens, calculator=cfg.calculator, seed=cfg.seed
    )
    return Asker(model, tokenizer, task, examples, sampling, verifier)
