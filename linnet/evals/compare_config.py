"""What `linnet compare` is asked, and the training that one of its cells stands for; no torch, `--help` reads it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from linnet.adapt.config import AdaptConfig, Method
from linnet.core.config import ByCommas, Config, OptionalFloat, OptionalInt, Positional
from linnet.data.sources import is_world, world_options
from linnet.train.config import OptimizerConfig, ScheduleConfig, SftConfig

GENTLE = SftConfig.model_fields["optimizer"].default
VIRTUAL = ("prompt", "prefix")
FACTORS = ("matrix_lr", "lr", "embedding_lr", "head_lr", "adapter_lr")


class CompareConfig(Config):
    """Choices of `linnet compare`."""

    base: Annotated[Path, Positional()]
    """Run folder of the language model that every method starts from."""
    task: str = "sentiment"
    """Task to learn and to be asked."""
    source: str = "world"
    """Where its rows come from: `world[:COUNT[:SEED]]`, a folder or a hub name; its train split is learned."""
    asked: str = ""
    """Another source of the rows that are asked; without it the measured split of --source, but for what is learned:
    where it has one split alone (a file), the rows after those."""
    texts: int = Field(default=2000, ge=2)
    """Most rows to learn from; every method learns from the same."""
    rows: int = Field(default=200, ge=2, le=100_000)
    """Held-out rows that are asked."""
    shots: int = Field(default=4, ge=0, le=64)
    """Solved examples before each question of the few-shot baseline; 0 leaves it out."""
    methods: Annotated[tuple[Method, ...], ByCommas] = ("full", "lora", "prompt")
    """What is compared, as of --adapt.method; verdicts are against full, or the first where it is not among them."""
    seeds: int = Field(default=3, ge=1, le=100)
    """Trainings of each method, with the seeds 0, 1, ..."""
    budget: Literal["steps", "time", "memory"] = "steps"
    """What is equal: optimizer steps; seconds of training (steps by a short probe); or the peak memory that no method
    may pass (rows at a time by two short probes, more of them accumulated, so that a step has as many rows)."""
    steps: int = Field(default=200, ge=1)
    """Optimizer steps; with --budget time a probe decides."""
    seconds: OptionalFloat = Field(default=None, gt=0)
    """With --budget time: seconds of training."""
    memory_mib: OptionalFloat = Field(default=None, gt=0)
    """With --budget memory: most MiB of a training's process (on a GPU: allocated there)."""
    batch_size: int = Field(default=16, ge=1, le=65536)
    """Rows in an optimizer step."""
    rates: Annotated[tuple[float, ...], ByCommas] = (1.0,)
    """Factors on a method's learning rates that are tried with a seed of their own; the one with the least held-out
    loss on the validation rows is taken, for each method by itself. One factor is taken without a trial."""
    virtual_lr: float = Field(default=0.03, gt=0)
    """Peak learning rate of virtual tokens (prompt, prefix); of other adapters it is --optimizer.adapter-lr."""
    adapt: AdaptConfig = AdaptConfig()
    """Rank, targets, virtual tokens and the like; the methods are named by --methods."""
    optimizer: OptimizerConfig = GENTLE
    """How weights follow gradients."""
    corpus: str = ""
    """Text on which forgetting is measured; without it the text that the base was trained on, its held-out part."""
    corpus_tokens: int = Field(default=20_000, ge=2)
    """Most tokens of it."""
    samples: int = Field(default=3, ge=0, le=100)
    """Questions whose replies stand side by side on the page."""
    device: str = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1, mps."""
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Type of the matrix products in training; weights stay fp32, and measuring is in fp32."""
    threads: OptionalInt = Field(default=None, ge=1)
    """CPU threads; none leaves the choice to torch."""
    out: Path = Path("runs/compare")
    """Folder of the trainings, the table and the page."""
    json_output: bool = Field(default=False, alias="json")
    """Print everything as JSON."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wanted = {"time": ("seconds", "--seconds"), "memory": ("memory_mib", "--memory-mib")}
        for budget, (field, option) in wanted.items():
            if (getattr(self, field) is None) == (self.budget == budget):
                raise ValueError(f"--budget {budget} and {option} belong together")
        if not self.methods or len(set(self.methods)) < len(self.methods):
            raise ValueError("--methods: name one or more, each once")
        if not self.rates or min(self.rates) <= 0 or len(set(self.rates)) < len(self.rates):
            raise ValueError("--rates: give different factors above 0")
        if self.adapt.method != "full":
            raise ValueError("--adapt.method: the methods are named by --methods")
        return self

    @property
    def reference(self) -> Method:
        """The method that the others are held against."""
        return "full" if "full" in self.methods else self.methods[0]

    @property
    def data(self) -> str:
        """The rows to learn from, as `linnet sft` takes them."""
        if is_world(self.source):
            return f"{self.task}=world:{self.texts}:{world_options(self.source)[2]}"
        return f"{self.task}={self.source}@{self.texts}"


@dataclass(frozen=True)
class Share:
    """What a method has of the budget: steps, rows at a time, how often they are summed up in a step."""

    steps: int
    batch_size: int
    accumulate: int = 1


def cell(cfg: CompareConfig, method: Method, share: Share, seed: int, out: Path, factor: float = 1.0) -> SftConfig:
    """Return the training of a method with a seed: nothing but method, seed and share differs between cells."""
    rates = {name: getattr(cfg.optimizer, name) for name in FACTORS}
    if method in VIRTUAL:
        rates["adapter_lr"] = cfg.virtual_lr
    return SftConfig(
        parent=cfg.base,
        data=cfg.data,
        held_out=0.1,
        adapt=cfg.adapt.but(method=method),
        optimizer=cfg.optimizer.but(**{name: rate * factor for name, rate in rates.items()}),
        schedule=ScheduleConfig(kind="linear", warmup=min(10, share.steps // 10), final=0.0),
        steps=share.steps,
        batch_size=share.batch_size,
        accumulate=share.accumulate,
        seed=seed,
        device=cfg.device,
        dtype=cfg.dtype,
        threads=cfg.threads,
        log_every=max(1, share.steps // 50),
        eval_every=0,
        samples=0,
        track="none",
        resume=True,
        out=out,
    )
