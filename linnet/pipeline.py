"""The one button: the stages of a life in order; what is finished is skipped, what was made otherwise is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field

from linnet.core.config import ByCommas, Config, OptionalInt, Unlisted
from linnet.core.console import logger
from linnet.core.errors import BadInput
from linnet.evals.config import EvaluateConfig
from linnet.presets import tiny
from linnet.recipes.dpo import DPOConfig
from linnet.recipes.search import SearchConfig
from linnet.recipes.tokenizer import TokenizerConfig
from linnet.recipes.verifier import VerifierConfig
from linnet.train.config import PretrainConfig, SftConfig

C = TypeVar("C", bound=Config)
STAGES = ("tokenizer", "pretrain", "sft", "dpo", "verifier", "search", "calculator", "writing", "tasks")
SUITE = ("sums", "sentiment", "summaries", "preferences", "instructions", "facts")
BEFORE = Path("before")  # stands for the stage before, whose folder is known once --out is


def _tiny(cls: type[C], stage: str, **before: Path) -> C:
    return cls.build({**before, **tiny()[stage]}, where=f"preset tiny, {stage}")


class QuickstartConfig(Config):
    """Choices of `linnet quickstart`; those of its stages are set by `--preset`, or by a `--config` file."""

    tokenizer_corpus: str = "world:20000"
    """Text whose words the tokenizer learns: of all kinds, as the later stages need them."""
    pretrain: Annotated[PretrainConfig, Unlisted()] = _tiny(PretrainConfig, "pretrain")
    """Learning to write."""
    sft: Annotated[SftConfig, Unlisted()] = _tiny(SftConfig, "sft", parent=BEFORE)
    """Learning to answer."""
    dpo: Annotated[DPOConfig, Unlisted()] = _tiny(DPOConfig, "dpo", parent=BEFORE)
    """Learning which answer is better."""
    verifier: Annotated[VerifierConfig, Unlisted()] = _tiny(VerifierConfig, "verifier", parent=BEFORE)
    """Learning to judge answers."""
    search: Annotated[SearchConfig, Unlisted()] = _tiny(SearchConfig, "search", run=BEFORE)
    """Spending compute at test time."""
    suite: Annotated[tuple[str, ...], ByCommas] = SUITE
    """Tasks that every model is asked; the first is also searched."""
    rows: int = Field(default=400, ge=2, le=100_000)
    """Held-out rows that are asked of each task."""
    stories: int = Field(default=200, ge=1, le=100_000)
    """Stories that are sampled and checked."""
    temperature: float = Field(default=0.1, ge=0, le=100)
    """Temperature of these stories."""
    repetition_penalty: float = Field(default=1.015, ge=0.01, le=100)
    """Repetition penalty of these stories: just enough to break a tie between a place that was and all the others."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of every stage."""
    device: str = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1, mps."""
    threads: OptionalInt = Field(default=None, ge=1)
    """CPU threads; none leaves the choice to torch."""
    out: Path = Path("runs/quickstart")
    """Folder of the stages' run folders and of the page."""


def main(cfg: QuickstartConfig) -> dict[str, Any]:
    """Make tokenizer, model, chat, preferences, judge, search, measures and the page; return what came out."""
    from linnet.core.errors import NothingToLearn
    from linnet.core.run import Run
    from linnet.evals.gains import gains
    from linnet.recipes import dpo, pretrain, search, sft, tokenizer, verifier
    from linnet.report.life import write_life_page
    from linnet.tasks import find

    at = {name: cfg.out / name for name in STAGES}
    machine: dict[str, Any] = {"seed": cfg.seed, "device": cfg.device, "threads": cfg.threads}
    training = {**machine, "resume": True}

    words = TokenizerConfig(corpus=cfg.tokenizer_corpus, vocab_size=cfg.pretrain.vocab_size, out=at["tokenizer"])
    stage(at["tokenizer"], words, tokenizer.main)
    learning = cfg.pretrain.but(tokenizer=str(at["tokenizer"]), out=at["pretrain"], **training)
    stage(at["pretrain"], learning, pretrain.main)
    answering = cfg.sft.but(parent=at["pretrain"], out=at["sft"], **training)
    stage(at["sft"], answering, sft.main)
    preferring = cfg.dpo.but(parent=at["sft"], out=at["dpo"], **training)
    stage(at["dpo"], preferring, dpo.main)
    judge: Path | None = at["verifier"]
    judging = cfg.verifier.but(parent=at["dpo"], out=at["verifier"], **training)
    try:
        stage(at["verifier"], judging, verifier.main)
    except NothingToLearn as error:
        judge = None
        logger.warning("verifier: left out, and the majority alone chooses among tries (%s)", error)
    task = cfg.suite[0]
    tries = {"task": task, "problems": cfg.rows}
    trying = cfg.search.but(run=at["dpo"], verifier=judge, out=at["search"], **tries, **machine)
    stage(at["search"], trying, search.main)
    if find(task).flawed is not None:  # it calculates
        helped = EvaluateConfig(
            runs=(at["dpo"],), suite=(task,), rows=cfg.rows, calculator=True, overlap=0, out=at["calculator"], **machine
        )
        stage(at["calculator"], helped, measure_tasks)
    way = {"temperature": cfg.temperature, "repetition_penalty": cfg.repetition_penalty}
    stories = {"writing": cfg.stories, **way}
    writing = EvaluateConfig(runs=(at["pretrain"],), baselines=True, out=at["writing"], **stories, **machine)
    stage(at["writing"], writing, measure_writing)
    models = (at["pretrain"], at["sft"], at["dpo"])
    asking = EvaluateConfig(runs=models, suite=cfg.suite, rows=cfg.rows, out=at["tasks"], **machine)
    stage(at["tasks"], asking, measure_tasks)

    at = finished_stages(cfg.out)
    gained = gains([life_scores(at, task)])
    page = write_life_page(cfg.out, at, task, gained, replies_of(at, task))
    measured = Run.result(at["writing"])
    return {
        "page": str(page),
        "model": str(at["dpo"]),
        "held-out bits per byte": measured["held_out"]["bits_per_byte"],
        "consistent stories": measured["writing"]["share"],
        **{f"{task}, {row['stage']}": round(row["value"], 4) for row in gained},
        "try next": f"linnet chat {at['dpo']}",
    }


def stage(folder: Path, cfg: Any, work: Callable[[Any], Any]) -> None:
    """Run a stage unless its folder holds it finished; raises BadInput when that was made with other choices."""
    from linnet.core.run import Run, differences

    if not Run.finished(folder):
        logger.info("%s: begins", folder.name)
        work(cfg)
        return
    # The vocabulary of the model is known only once the tokenizer is there; what was saved has it filled in.
    found = [line for line in differences(folder, cfg, folder.name) if not line.startswith("model.vocab_size")]
    if found:
        raise BadInput(f"{folder}: was made otherwise ({'; '.join(found[:3])}); choose another --out")
    logger.info("%s: finished before, skipped", folder.name)


def measure_writing(cfg: EvaluateConfig) -> None:
    """Measure the pretrained model's held-out loss and stories into a run folder."""
    from linnet.core.run import Run
    from linnet.recipes.evaluate import evaluate

    assert cfg.out is not None
    with Run.start(cfg.out, cfg, "writing", parents=cfg.runs, track="none") as run:
        result, _, _ = evaluate(cfg, cfg.runs[0], is_first=True)
        run.finish(**result)


def measure_tasks(cfg: EvaluateConfig) -> None:
    """Ask models the tasks of a suite, into a run folder whose name is the stage's."""
    from linnet.core.run import Run
    from linnet.evals.suite_run import run_suite
    from linnet.report.bars import write_picture

    assert cfg.out is not None
    with Run.start(cfg.out, cfg, cfg.out.name, parents=cfg.runs, track="none") as run:
        table = run_suite(cfg, cfg.out)
        write_picture(cfg.out, table["rows"])
        run.finish(rows=table["rows"], contamination=table["contamination"])


def finished_stages(folder: Path) -> dict[str, Path]:
    """Return the folders of a life's stages; one that had nothing to learn, or was not called for, is not there."""
    from linnet.core.run import Run

    return {name: folder / name for name in STAGES if Run.finished(folder / name)}


def replies_of(at: dict[str, Path], task: str) -> dict[str, Path]:
    """Return the file of what each model, by its name for people, replied to a task."""
    from linnet.evals.suite_run import replies_file
    from linnet.report.life import MODELS

    return {name: replies_file(at["tasks"], run, task) for run, name in MODELS.items()}


def life_scores(at: dict[str, Path], task: str) -> list[Any]:
    """Return for each stage of a life its name, the questions of a task and the scores."""
    from linnet.evals.gains import of_replies, of_tries
    from linnet.evals.suite_run import replies_file
    from linnet.infer.search import checked, majority, weighted

    tries = at["search"] / "tries.jsonl"
    found = [(name, of_replies(file)) for name, file in replies_of(at, task).items()]
    found.append(("majority vote", of_tries(tries, majority)))
    if "verifier" in at:
        found.append(("verifier's vote", of_tries(tries, weighted)))
    if "calculator" in at:
        found.append(("checked vote", of_tries(tries, checked)))
        found.append(("calculator", of_replies(replies_file(at["calculator"], "dpo", task))))
    return found
