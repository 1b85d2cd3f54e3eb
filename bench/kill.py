"""Kill a training again and again; it must end with the very weights of a run that was never touched."""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from linnet.artifacts import weights_file
from linnet.core.files import file_hash
from linnet.data import world

COMMON = "--batch-size 4 --accumulate 2 --log-every 1 --eval-every 50 --eval-tokens 500 --track none --threads 1"
# A small network with dropout, whose dice must survive too.
MODEL = "--model.num-layers 2 --model.hidden-size 64 --model.num-heads 2 --model.dropout 0.1 --model.ngram-buckets 512"
PRETRAIN = f"--tokenizer characters --model.context-length 32 {MODEL}"
PARENT = f"--corpus world:400 --vocab-size 600 --model.context-length 256 {MODEL} --packing --steps 40 --save-every 0"
# What follows `linnet RECIPE PARENT`, PARENT being a small pretrained model; --extra adds to it.
TUNING = {
    "sft": "--data world/reviews:200+world/sums:100",
    "distill": "--data world/reviews:200 --student.num-layers 1 --student.hidden-size 64 --student.dropout 0.1",
    "dpo": "--pairs world:200 --held-out-pairs 20",
    "verifier": "",
    # A task whose rewards a hardly trained model gets too. Three updates from the same replies, two of them a step:
    # most saved states fall between them.
    "classify": "--texts 200",
    "finetune": "--corpus world/sums:400",
    "grpo": "--task summaries --source world:60 --held-out-questions 4 --group 4 --updates 3 --max-tokens 40",
}
# What follows `linnet RECIPE` of those that make a network of their own.
TINY = "--model.num-layers 1 --model.hidden-size 32 --model.num-heads 2 --model.dropout 0.1"
ALONE = {
    "pretrain": PRETRAIN,
    "seq2seq": f"--data sorting:300 {TINY} --written 20 --label-smoothing 0.1",
    "summarize": f"--data world/dialogues:100 --vocab-size 400 {TINY} --written 5",
    "mlm": f"--tokenizer characters --model.context-length 32 {TINY}",
}


@dataclass
class Outcome:
    """What happened: kills by the moment they fell in, and whether the weights came out the same."""

    kills: int = 0
    runs: int = 0
    in_start_up: int = 0
    inside_a_save: int = 0
    same: list[bool] = field(default_factory=list)


@dataclass(frozen=True)
class Training:
    """The training that is killed: its command line, but for the folder that it writes."""

    words: list[str]

    def command(self, out: Path) -> list[str]:
        """Return the command line of one attempt; it goes on where the last one was killed."""
        return [sys.executable, "-m", "linnet", *self.words, "--out", str(out), "--resume"]


def prepare(folder: Path, recipe: str, steps: int, save_every: int, extra: str = "") -> Training:
    """Make what the recipe starts from: a small text, or a small pretrained model."""
    tail = f"--steps {steps} --save-every {save_every} {extra}".split()
    if recipe in ALONE:
        corpus = ["--corpus", str(write_corpus(folder))] if recipe in ("pretrain", "mlm") else []
        return Training([recipe, *f"{ALONE[recipe]} {COMMON}".split(), *tail, *corpus])
    parent = folder / "parent"
    words = [sys.executable, "-m", "linnet", "pretrain", *f"{PARENT} {COMMON}".split(), "--out", str(parent)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    made = ["--candidates", str(write_candidates(folder))] if recipe == "verifier" else []
    return Training([recipe, str(parent), *f"{TUNING[recipe]} {COMMON}".split(), *made, *tail])


def write_corpus(folder: Path) -> Path:
    """Write a small text with some structure."""
    draw = random.Random(0)
    words = ["the", "bird", "sings", "in", "a", "tree", "and", "waits", "for", "rain"]
    path = folder / "corpus.txt"
    path.write_text(" ".join(draw.choice(words) for _ in range(4000)))
    return path


def write_candidates(folder: Path) -> Path:
    """Write right solutions of the small world's sums, and each with one digit changed."""
    draw, path, lines = random.Random(0), folder / "candidates.jsonl", []
    for row in islice(world.rows("sums"), 60):
        question, answer = row["question"], row["answer"]
        place = draw.choice([place for place, letter in enumerate(answer) if letter.isdigit()])
        spoilt = answer[:place] + str((int(answer[place]) + draw.randint(1, 9)) % 10) + answer[place + 1 :]
        for solution in (answer, spoilt):
            lines.append(json.dumps({"question": question, "solution": solution, "is_correct": solution == answer}))
    path.write_text("\n".join(lines) + "\n")
    return path


def reference(folder: Path, training: Training) -> str:
    """Run once without a kill; return the hash of the final weights."""
    out = folder / "whole"
    subprocess.run(training.command(out), check=True, stdout=subprocess.DEVNULL)
    return file_hash(weights_file(out))


def attempt(words: list[str], out: Path, draw: random.Random, stop: signal.Signals, outcome: Outcome) -> bool:
    """Start the run and stop it at a random moment; return whether it finished before that."""
    log = out / "metrics.jsonl"
    before = log.stat().st_size if log.exists() else 0
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    early = draw.random() < 0.1
    deadline = time.monotonic() + (draw.uniform(0.1, 3.0) if early else 120)
    while process.poll() is None and time.monotonic() < deadline:
        size = log.stat().st_size if log.exists() else 0
        if not early and size not in (0, before):  # it is training
            time.sleep(draw.uniform(0.0, 1.2))
            break
        time.sleep(0.01)
    if process.poll() is None:
        os.killpg(process.pid, stop)
        process.wait()
        outcome.kills += 1
        outcome.in_start_up += early
        outcome.inside_a_save += any((out / "state").glob(".*.tmp"))
        return False
    if process.returncode != 0:
        raise SystemExit(f"an attempt ended with {process.returncode}; run it by hand: {' '.join(words)}")
    return True


def killed_runs(
    folder: Path, training: Training, kills: int, seed: int, stop: signal.Signals = signal.SIGKILL
) -> Outcome:
    """Kill runs until that many kills were dealt; finish each run and compare its weights with the untouched run's."""
    expected = reference(folder, training)
    draw, outcome = random.Random(seed), Outcome()
    while outcome.kills < kills:
        out = folder / f"run{outcome.runs}"
        words = training.command(out)
        while outcome.kills < kills and not attempt(words, out, draw, stop, outcome):
            pass
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        outcome.runs += 1
        outcome.same.append(file_hash(weights_file(out)) == expected)
        print(f"{outcome.kills} kills, {outcome.runs} runs, the same weights: {outcome.same}", flush=True)
    return outcome


def main(arguments: list[str]) -> None:
    """Deal the kills and print what came of them; exits with 1 when any run came out otherwise."""
    parser = argparse.ArgumentParser(prog="python -m bench kill", description=__doc__)
    parser.add_argument("--recipe", choices=[*ALONE, *TUNING], default="pretrain")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--save-every", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--extra", default="", help="more options for the recipe, such as --compile")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        training = prepare(Path(folder), asked.recipe, asked.steps, asked.save_every, asked.extra)
        outcome = killed_runs(Path(folder), training, asked.kills, asked.seed)
    print(
        f"{asked.recipe}: {outcome.kills} kills over {outcome.runs} runs ({outcome.in_start_up} in start-up, "
        f"{outcome.inside_a_save} inside a save): {sum(outcome.same)} of {len(outcome.same)} runs ended with "
        "bit-identical weights"
    )
    if not all(outcome.same):
        raise SystemExit(1)
