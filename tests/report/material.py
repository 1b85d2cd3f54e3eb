"""A finished run folder and the whole page of a quick start over it, without training anything."""

import json
import math
import random
from pathlib import Path

from linnet.core.config import Config
from linnet.core.files import json_text, read_json
from linnet.core.run import Run
from linnet.model.config import ModelConfig
from linnet.report import run_folder
from linnet.report.curves import Level, curves
from linnet.report.page import (
    Command,
    Commands,
    Curves,
    Headline,
    Headlines,
    Sample,
    Samples,
    Section,
    stages_table,
)

STORIES = (
    "Mira had a red kite. One morning she took it to the hill behind the mill. The wind was strong and the string "
    "slipped from her hand. Tom the miller saw the kite fall into the pond. He fetched a long pole and gave the kite "
    "back to her. Mira thanked him and they ate bread together.",
    "Ben found a small key under the bench. He asked Ana whose it was. Ana said that it was hers and that it opened "
    "the shed. Ben gave the key to Ana, and she opened the shed. Inside there was a grey cat, and the cat was glad.",
    "Lena carried a basket of plums to the market. On the bridge she met Otto, who was hungry. She gave him two plums. "
    "Otto thanked her and he carried the drum for the rest of the way.",
)
STEPS = 600


class Toy(Config):
    corpus: str = "world"
    """What to read."""
    held_out: float = 0.1
    """Share kept out."""
    tokenizer: str = "bpe"
    """Which tokenizer."""
    model: ModelConfig = ModelConfig()
    """The network."""
    steps: int = STEPS
    """How many steps."""
    batch_size: int = 32
    """Rows."""
    accumulate: int = 1
    """Batches in a step."""
    seed: int = 7
    """The seed."""
    dtype: str = "bf16"
    """The precision."""


def make_run(folder: Path, seed: int = 0, best: float = 1.0, finish: bool = True) -> Path:
    """Write a run whose curves look like a real one's."""
    noise = random.Random(seed)
    with Run.start(folder, Toy(), track="none", data_hashes={"world": "5f" * 32}) as run:
        for step in range(0, STEPS + 1, 10):
            loss = best + 5.2 * math.exp(-step / 90)
            run.log(
                step,
                loss=loss + noise.gauss(0, 0.06),
                lr_factor=min(1.0, (STEPS - step) / (STEPS / 2)),
                grad_norm=1.0,
                tokens_per_second=16000 + noise.gauss(0, 500),
                matmul_share=0.5 + noise.gauss(0, 0.012),
            )
            if step % 60 == 0:
                run.log(step, held_out_loss=loss + 0.04, held_out_bits_per_byte=loss * 0.42)
            if step in (0, 300, 600):
                run.sample("dkw e eoth  mlt\nrr " * 8 if step == 0 else STORIES[step // 300], step=step)
        (folder / "model.safetensors").write_bytes(b"\0" * 5000)
        if finish:
            run.finish(loss=best)
    return folder


def quick_start_sections(folder: Path) -> list[Section]:
    """Return what the quick start shows of a run inside `folder`."""
    run = folder / "pretrain"
    protocol = "204,311 bytes of held-out stories, windows of 256 tokens, every byte counted once"
    texts = run_folder.samples(run)
    verdicts = (("consistent", ()), ("consistent", ()), ("2 problems", ("Otto carries a drum that nobody brought.",)))
    return [
        Headlines(
            "What came out",
            (
                Headline("Held-out bits per byte", "0.436", "gzip 2.31, 5-gram 1.05", protocol),
                Headline(
                    "Consistent stories",
                    "97.5%",
                    "95% interval 94.3% to 98.9%; 5-gram 11.0%",
                    "195 of 200 sampled stories, temperature 0.8, judged by the world's own checker",
                ),
                Headline("Training time", "7 min 42 s", "600 steps, 4.9 million tokens"),
                Headline(
                    "Speed",
                    "16,012 tokens/s",
                    "51% of the matmul limit",
                    "bf16, limit measured in the same run: 404 GFLOP/s",
                ),
                Headline("Parameters", "2,621,440", "10.5 MB in fp32"),
            ),
        ),
        Samples(
            "What it wrote while it learned",
            run_folder.before_midway_after(texts),
            "The same prompt before, midway and after training; nothing is picked by hand.",
        ),
        Curves("How it learned", tuple(curves({"quick start": run}, [Level("gzip", 2.31), Level("5-gram", 1.05)]))),
        Samples(
            "What it writes now",
            tuple(
                Sample(text, verdict, problems, prompt="Once upon a time ")
                for text, (verdict, problems) in zip(STORIES, verdicts, strict=True)
            ),
        ),
        run_folder.facts(run),
        stages_table([run_folder.stage("pretrain", run)]),
        run_folder.files_table(folder, [run]),
        Commands(
            "What to try next",
            (
                Command(f"linnet generate {run.name} --prompt 'Mira had'", "Let it write on from words of your own."),
                Command(
                    "linnet pretrain --corpus my-book.txt --tokenizer characters --out runs/my-book --steps 2000",
                    "Train the same model on a text of yours.",
                ),
            ),
        ),
    ]


WRITING = {"stories": 200, "consistent": 190, "share": 0.95, "share_low": 0.91, "share_high": 0.97}
MEASURED = {
    "held_out": {"bits_per_byte": 0.187, "protocol": "677,669 tokens, windows of 256"},
    "writing": {**WRITING, "distinct": 1.0, "memorised": 0.02, "temperature": 0.3, "repetition_penalty": 1.1},
    "baselines": [
        {"name": "gzip", "bits_per_byte": 2.31},
        {"name": "xz", "bits_per_byte": 2.11},
        {"name": "5-gram", "bits_per_byte": 0.9, "writing": {**WRITING, "share": 0.04}},
    ],
}
STAGES = ("base", "SFT", "DPO", "majority vote", "verifier's vote")


def gained() -> list[dict]:
    """Return what each stage gained, as `evals.gains` says it."""
    gain = {"difference": 0.2, "low": 0.11, "high": 0.29, "verdict": "better", "p": 0.001}
    return [
        {"stage": name, "value": 0.2 * place, "low": 0.1 * place, "high": 0.24 * place, "gain": gain if place else None}
        for place, name in enumerate(STAGES)
    ]


def make_life(folder: Path, texts: list[str]) -> dict[str, Path]:
    """Write the run folders of a whole life, without training anything; return them by the names of the stages."""
    stages = {name: make_run(folder / name) for name in ("tokenizer", "pretrain", "sft", "dpo")}
    point = {"tries": 4.0, "tokens": 80.0, "right": 0.8, "interval": [0.7, 0.9]}
    judged = {"auroc": 0.93, "interval": [0.9, 0.95]}
    row = {"task": "sums", "metric": "exact match", "value": 0.5, "best_baseline": "nearest"}
    row |= {"baselines": {"nearest": 0.02}, "against_baseline": {"verdict": "better"}}
    numbers = {
        "verifier": {"held_out": judged},
        "search": {"curves": {"majority": [{**point, "tries": 1, "right": 0.6, "interval": [0.5, 0.7]}, point]}},
        "writing": {**MEASURED, "texts": texts},
        "tasks": {"rows": [{**row, "run": run} for run in ("pretrain", "sft", "dpo")]},
    }
    for name, found in numbers.items():
        with Run.start(folder / name, Toy(), name, track="none") as run:
            run.finish(**found)
        stages[name] = folder / name
    (stages["tasks"] / "replies").mkdir()
    for run in ("pretrain", "sft", "dpo"):
        asked = {"question": f"What is 2+2, {run}?", "reply": texts[-1], "score": 1.0}
        (stages["tasks"] / "replies" / f"{run}-sums.jsonl").write_text(json.dumps(asked) + "\n")
    result = read_json(stages["pretrain"] / "result.json")
    result["numbers"] |= {"steps": 600, "tokens": 4_915_200}
    (stages["pretrain"] / "result.json").write_text(json_text(result))
    return stages
