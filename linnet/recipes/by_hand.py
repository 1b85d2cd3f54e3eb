"""The mathematics by hand: a token's way with every number, all gradients checked, and a GPT trained in NumPy alone."""

import hashlib
import json
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from linnet.core.config import Config
from linnet.core.errors import BadInput, Failed

if TYPE_CHECKING:
    import numpy as np

    from linnet.core.run import Run

MOST_CHARACTERS = 2000  # different ones: a table of pairs has the square of it


class ByHandConfig(Config):
    """Choices of `linnet by-hand`."""

    corpus: str = "world/stories"
    """Text to learn: a file, folder, glob, JSONL/CSV/Parquet, data-set folder or hub name, or `world`."""
    column: str = "text"
    """Column of the text in JSONL, CSV and Parquet rows."""
    split: str = "train"
    """Split of a data set."""
    characters: int = Field(default=100_000, ge=1, le=10**7)
    """Characters of the text that are read, from its beginning; a tenth of them is held out."""
    word: str = Field(default="birds", min_length=2, max_length=12)
    """Word on whose last character but one the tour goes along; the last one is to be guessed."""
    steps: int = Field(default=300, ge=1)
    """Optimizer steps of the GPT."""
    batch_size: int = Field(default=16, ge=1, le=1024)
    """Rows in a batch."""
    context: int = Field(default=64, ge=2, le=1024)
    """Characters in a row."""
    num_layers: int = Field(default=3, ge=1, le=64)
    """Number of blocks."""
    hidden_size: int = Field(default=128, ge=32, le=2048, multiple_of=32)
    """Width of the residual stream; a head is 32 wide."""
    dtype: Literal["fp32", "fp64"] = "fp32"
    """Type of the training's numbers: fp32 is about twice as fast. The tour and the gradient checks are in fp64."""
    eval_every: int = Field(default=100, ge=1)
    """Steps between held-out losses and samples."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of weights and data order."""
    out: Path = Path("runs/by-hand")
    """Run folder."""
    json_output: bool = Field(default=False, alias="json")
    """Print everything as JSON."""


def main(cfg: ByHandConfig) -> Path | None:
    """Show the way of a token and the gradient checks, train the GPT, and return the run folder."""
    from rich.console import Console

    from linnet.by_hand.ngram import simple_losses
    from linnet.by_hand.walk import walk
    from linnet.core.run import Run
    from linnet.evals.table import text_table

    train, held_out, characters = read(cfg)  # before anything is shown or written: a wrong corpus stops here
    Run.check(cfg.out, cfg, "by-hand")
    console = Console(quiet=cfg.json_output, highlight=False, soft_wrap=True, markup=False)
    way = walk(cfg.word, cfg.seed)
    console.print("\n".join(way.lines()))
    errors = check_gradients(cfg.seed)
    console.print("\nGradients and slopes, (L(x + h) - L(x - h)) / 2h: largest relative error", style="bold")
    console.print(text_table([{"operation": name, "error": f"{error:.1e}"} for name, error in errors.items()]))
    hashes = {"ids": hashlib.sha256(train.tobytes() + held_out.tobytes()).hexdigest()}
    with Run.start(cfg.out, cfg, "by-hand", data_hashes=hashes, track="none") as run:
        losses = simple_losses(train, held_out, len(characters))
        losses["GPT by hand"], numbers = train_gpt(cfg, run, train, held_out, characters)
        console.print(f"\nThe next of {len(held_out) - 1:,} held-out characters, loss", style="bold")
        console.print(text_table([{"guessed by": n, "nats": x, "choices": math.exp(x)} for n, x in losses.items()]))
        run.finish(**numbers, held_out_losses=losses, worst_gradient_error=max(errors.values()))
    if not cfg.json_output:
        return cfg.out
    tour = {**asdict(way), "weights": {name: w.tolist() for name, w in way.weights.items()}}
    print(json.dumps({"run": str(cfg.out), "walk": tour, "gradient_errors": errors, **Run.result(cfg.out)}, indent=2))
    return None


def read(cfg: ByHandConfig) -> tuple["np.ndarray", "np.ndarray", list[str]]:
    """Return the ids to learn, those held out, and the characters they stand for."""
    from linnet.by_hand.counts import encode, vocabulary
    from linnet.data.excerpt import excerpt

    train, held_out = excerpt(cfg.corpus, cfg.characters, cfg.column, cfg.split)
    characters = vocabulary(train + held_out)
    if len(train) <= cfg.context or len(held_out) < 2:
        found = f"too short, {len(train):,} characters to train on and {len(held_out):,} held out"
        raise BadInput(f"{cfg.corpus}: {found}; a row of --context {cfg.context} needs one more, and a measurement 2")
    if len(characters) > MOST_CHARACTERS:
        found = f"{len(characters):,} different characters, and by hand at most {MOST_CHARACTERS:,}"
        raise BadInput(f"{cfg.corpus}: {found}; read fewer --characters")
    return encode(train, characters), encode(held_out, characters), characters


def check_gradients(seed: int) -> dict[str, float]:
    """Return the largest error of each operation's gradients; raises Failed, with the name, for a wrong one."""
    from linnet.by_hand.gradient_table import LIMIT, gradient_table

    errors = dict(gradient_table(seed))
    name = max(errors, key=lambda name: errors[name])
    if not errors[name] < LIMIT:
        raise Failed(f"the gradient of {name} is wrong by {errors[name]:.1e} of its size")
    return errors


def train_gpt(
    cfg: ByHandConfig, run: "Run", train: "np.ndarray", held_out: "np.ndarray", characters: list[str]
) -> tuple[float, dict[str, float]]:
    """Train, and return the held-out loss and the numbers of the last step."""
    import numpy as np

    from linnet.by_hand.counts import decode
    from linnet.by_hand.gpt import Architecture, initial_weights
    from linnet.by_hand.optimizers import Rates, make_optimizer
    from linnet.by_hand.training import Schedule, held_out_loss, steps, windows, write
    from linnet.core.console import Progress, logger

    size = cfg.hidden_size
    config = Architecture(len(characters), cfg.context, cfg.num_layers, size, size // 32, size // 32, 4 * size)
    rng = np.random.default_rng(cfg.seed)
    weights = {name: w.astype(cfg.dtype.replace("fp", "float")) for name, w in initial_weights(config, rng).items()}
    parameters = sum(weight.size for weight in weights.values())
    logger.info("%d characters to learn, %d parameters, NumPy in %s", len(train), parameters, cfg.dtype)
    batches, optimizer = windows(train, cfg.batch_size, cfg.context, rng), make_optimizer(weights, Rates())
    start = time.perf_counter()
    with Progress(cfg.steps, "by-hand") as progress:
        for step, loss in steps(weights, config, batches, optimizer, Schedule(cfg.steps), cfg.steps):
            speed = step * cfg.batch_size * cfg.context / (time.perf_counter() - start)
            progress.update(step, loss=loss, tokens_per_second=speed)
            numbers = {"loss": loss, "tokens_per_second": speed}
            if step % cfg.eval_every == 0 or step == cfg.steps:
                numbers["held_out_loss"] = held_out_loss(held_out, weights, config)
                written = write(held_out[: cfg.context // 2], 200, weights, config, rng)
                run.sample(decode(written, characters), step)
            run.log(step, **numbers)
    counts = {"steps": cfg.steps, "parameters": parameters, "training_seconds": time.perf_counter() - start}
    return numbers["held_out_loss"], {**counts, **numbers}
