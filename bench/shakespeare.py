"""Time to a validation loss on tinyshakespeare in characters, beside nanoGPT's documented CPU recipe, in turn.

nanoGPT is not part of this repository: give a checkout with `--nanogpt FOLDER` (its prepare.py needs `requests`). Its
loss is a mean over 20 random batches; ours is over every character of the validation text. `--headline` trains for the
loss of nanoGPT's GPU recipe instead, 1.4697, which takes half an hour on two cores, and says when it was reached.
"""

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# The CPU recipe of nanoGPT's README, with a printed time for every step.
NANOGPT = (
    "--device=cpu --compile=False --eval_iters=20 --log_interval=1 --block_size=64 --batch_size=12 --n_layer=4 "
    "--n_head=4 --n_embd=128 --max_iters=2000 --lr_decay_iters=2000 --dropout=0.0"
)
# What learns fastest here: 2 layers of the same width, look-up tables of pairs and triples of characters.
FAST = (
    "--model.context-length 64 --model.num-layers 2 --model.hidden-size 128 --model.num-heads 1 "
    "--model.ngram-buckets 16384 --batch-size 32 --steps 72 --optimizer.embedding-lr 0.2 --optimizer.head-lr 0.02 "
    "--optimizer.lr 0.01 --optimizer.beta1 0.8 --optimizer.weight-decay 0 --clip 0 --eval-every 0 --save-every 0"
)
# For the lowest loss instead: more layers, no tables, dropout, eleven passes over the text.
HEADLINE_LOSS = 1.4697
HEADLINE = (
    "--model.context-length 256 --model.num-layers 6 --model.hidden-size 256 --model.num-heads 4 --model.dropout 0.2 "
    "--batch-size 32 --steps 1500 --schedule.warmup 30 --schedule.cooldown 0.7 --optimizer.matrix-lr 0.012 "
    "--optimizer.embedding-lr 0.05 --optimizer.head-lr 0.005 --optimizer.lr 0.005 --optimizer.weight-decay 0.3 "
    "--eval-every 50 --eval-tokens 200000 --no-prove"
)


def nanogpt(folder: Path, corpus: Path) -> dict[str, float]:
    """Run nanoGPT's 2,000 steps; return seconds of the loop, of the process, and its last validation loss."""
    data = folder / "data" / "shakespeare_char"
    shutil.copy(corpus, data / "input.txt")
    subprocess.run([sys.executable, "prepare.py"], cwd=data, check=True, stdout=subprocess.DEVNULL)
    words = [sys.executable, "train.py", "config/train_shakespeare_char.py", *NANOGPT.split()]
    start = time.perf_counter()
    said = subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout
    process = time.perf_counter() - start
    loop = sum(float(found) for found in re.findall(r"time ([\d.]+)ms", said)) / 1000
    return {"loop": loop, "process": process, "loss": float(re.findall(r"val loss ([\d.]+)", said)[-1])}


def ours(corpus: Path, seed: int, options: str) -> dict[str, float]:
    """Run `linnet pretrain`; return seconds of the run (all after start-up), of the process, and the loss."""
    with tempfile.TemporaryDirectory() as out:
        words = ["pretrain", "--corpus", str(corpus), "--tokenizer", "characters", "--track", "none", *options.split()]
        start = time.perf_counter()
        said = subprocess.run(
            [sys.executable, "-m", "linnet", *words, "--seed", str(seed), "--out", f"{out}/run", "--json"],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ).stdout
        process = time.perf_counter() - start
        lines = [json.loads(line) for line in (Path(out) / "run" / "metrics.jsonl").read_text().splitlines()]
        found = {"loop": lines[-1]["seconds"], "process": process, "loss": json.loads(said)["held_out_loss"]}
        reached = [line for line in lines if line.get("held_out_loss", HEADLINE_LOSS + 1) <= HEADLINE_LOSS]
        best = min(reached, key=lambda line: line["held_out_loss"], default=None)
        if best is not None:
            found |= {f"seconds to {HEADLINE_LOSS}": reached[0]["seconds"], "lowest loss": best["held_out_loss"]}
        return found


def main(arguments: list[str]) -> None:
    """Print both in turn and the ratio of the medians."""
    parser = argparse.ArgumentParser(prog="python -m bench shakespeare", description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="tinyshakespeare's input.txt")
    parser.add_argument("--nanogpt", type=Path, help="a checkout of nanoGPT")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--headline", action="store_true", help=f"train for a loss of {HEADLINE_LOSS} instead")
    parser.add_argument("--options", help="options for linnet pretrain")
    asked = parser.parse_args(arguments)
    options = asked.options or (HEADLINE if asked.headline else FAST)
    runs: dict[str, list[dict[str, float]]] = {"nanogpt": [], "linnet": []}
    for seed in range(asked.rounds):
        if asked.nanogpt:
            runs["nanogpt"].append(nanogpt(asked.nanogpt.resolve(), asked.corpus.resolve()))
            print("nanoGPT", runs["nanogpt"][-1], flush=True)
        runs["linnet"].append(ours(asked.corpus.resolve(), seed, options))
        print("linnet ", runs["linnet"][-1], flush=True)
    for kind in ("loop", "process"):
        medians = {name: statistics.median(run[kind] for run in done) for name, done in runs.items() if done}
        ratio = f", {medians['nanogpt'] / medians['linnet']:.1f} times" if "nanogpt" in medians else ""
        print(f"median seconds of the {kind}: {medians}{ratio}")
