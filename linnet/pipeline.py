"""The one button: the stages of a life in order; what is finished is skipped, what was made otherwise is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field

from linnet.core.config import Config
from linnet.core.console import logger
from linnet.core.errors import BadInput
from linnet.presets import tiny
from linnet.recipes.evaluate import EvaluateConfig
from linnet.recipes.pretrain import PretrainConfig
from linnet.recipes.tokenizer import TokenizerConfig


class QuickstartConfig(Config):
    """Choices of `linnet quickstart`."""

    pretrain: PretrainConfig = PretrainConfig.build(tiny()["pretrain"], where="preset tiny")
    """The training; its corpus and vocabulary are also the tokenizer's."""
    stories: int = Field(default=200, ge=1, le=100_000)
    """Stories that are sampled and checked."""
    temperature: float = Field(default=0.1, ge=0, le=100)
    """Temperature of these stories."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of every stage."""
    out: Path = Path("runs/quickstart")
    """Folder of the stages' run folders and of the page."""


def main(cfg: QuickstartConfig) -> dict[str, Any]:
    """Make the tokenizer, the model, its evaluation and the page; return what came out."""
    from linnet.core.run import Run
    from linnet.recipes import pretrain, tokenizer
    from linnet.report.life import write_life_page

    folders = {name: cfg.out / name for name in ("tokenizer", "pretrain", "evaluation")}
    corpus, size = cfg.pretrain.corpus, cfg.pretrain.vocab_size
    asked = TokenizerConfig(corpus=corpus, vocab_size=size, out=folders["tokenizer"])
    stage("tokenizer", folders, asked, tokenizer.main)
    training = cfg.pretrain.but(
        tokenizer=str(folders["tokenizer"]), seed=cfg.seed, out=folders["pretrain"], resume=True
    )
    stage("pretrain", folders, training, pretrain.main)
    measuring = EvaluateConfig(
        runs=(folders["pretrain"],),
        baselines=True,
        writing=cfg.stories,
        temperature=cfg.temperature,
        seed=cfg.seed,
        device=cfg.pretrain.device,
        threads=cfg.pretrain.threads,
    )
    stage("evaluation", folders, measuring, lambda chosen: measure(chosen, folders["evaluation"]))
    measured = Run.result(folders["evaluation"])
    page = write_life_page(cfg.out, folders, measured)
    return {
        "page": str(page),
        "model": str(folders["pretrain"]),
        "held-out bits per byte": measured["held_out"]["bits_per_byte"],
        "consistent stories": measured["writing"]["share"],
        "try next": f'linnet generate {folders["pretrain"]} --prompt "One sunny day, Mira"',
    }


def stage(name: str, folders: dict[str, Path], cfg: Any, work: Callable[[Any], Any]) -> None:
    """Run a stage unless its folder holds it finished; raises BadInput when that was made with other choices."""
    from linnet.core.run import Run, differences

    folder = folders[name]
    if not Run.finished(folder):
        logger.info("%s: begins", name)
        work(cfg)
        return
    # The vocabulary of the model is known only once the tokenizer is there; what was saved has it filled in.
    found = [line for line in differences(folder, cfg, name) if not line.startswith("model.vocab_size")]
    if found:
        raise BadInput(f"{folder}: was made otherwise ({'; '.join(found[:3])}); choose another --out")
    logger.info("%s: finished before, skipped", name)


def measure(cfg: EvaluateConfig, out: Path) -> None:
    """Evaluate a run into a run folder of its own."""
    from linnet.core.run import Run
    from linnet.recipes.evaluate import evaluate

    with Run.start(out, cfg, "evaluation", parents=cfg.runs, track="none") as run:
        result, _, _ = evaluate(cfg, cfg.runs[0], is_first=True)
        run.finish(**result)
