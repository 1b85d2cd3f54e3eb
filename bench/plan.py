"""What `linnet plan` says of memory and time, beside what the same trainings then take, each in a fresh process.

Each training is planned, then run under a cap on its address space: the memory that it was accepted for, and what a
process maps without ever touching it. One that was accepted and could not be finished is a fault of the plan.
Where batches have another width each, products are compiled for each of them into pages of which few are touched: such
a training is stopped once what is resident is more than it was accepted for, as a cgroup would stop it.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

COMMON = "--device cpu --track none --save-every 20 --eval-every 20 --eval-tokens 8192 --prove false"
TEXT = "--corpus world/stories:1500 --tokenizer bpe"
PARENT = f"{TEXT} --vocab-size 1024 --model.context-length 256 --packing --steps 20 --model.hidden-size 256"
TALKER = f"{TEXT} --vocab-size 1024 --model.context-length 256 --model.num-layers 2 --model.hidden-size 128 --steps 20"
TAUGHT = (
    "--data world/facts:4000+world/sums:2000 --batch-size 16 --steps 150 --samples 0"  # to talk, and be right at times
)
NEW = {
    "as it comes": "pretrain --batch-size 16",
    "narrow": "pretrain --model.hidden-size 128 --batch-size 32",
    "wide": "pretrain --model.hidden-size 512 --model.num-heads 4 --batch-size 8",
    "one layer": "pretrain --model.num-layers 1 --batch-size 32",
    "eight layers": "pretrain --model.num-layers 8 --batch-size 8",
    "large vocabulary": "pretrain --vocab-size 8192 --batch-size 16",
    "short rows": "pretrain --model.context-length 64 --batch-size 64",
    "long rows": "pretrain --model.context-length 512 --batch-size 8",
    "large batch": "pretrain --batch-size 64 --steps 20",
    "accumulated twice": "pretrain --batch-size 16 --accumulate 2 --steps 20",
    "accumulated eight times": "pretrain --batch-size 4 --accumulate 8 --steps 20",
    "checkpointing": "pretrain --batch-size 32 --checkpointing",
    "checkpointing, eight layers": "pretrain --model.num-layers 8 --batch-size 32 --checkpointing --steps 20",
    "fp32": "pretrain --batch-size 16 --dtype fp32",
    "bf16": "pretrain --batch-size 16 --dtype bf16",
    "AdamW": "pretrain --batch-size 16 --optimizer.kind adamw",
    "AdamW, 8 bits": "pretrain --batch-size 16 --optimizer.kind adamw --optimizer.state-bits 8 --vocab-size 4096",
    "n-grams": "pretrain --batch-size 16 --model.ngram-buckets 65536",
    "experts": "pretrain --batch-size 8 --model.num-experts 4",
    "packed": "pretrain --batch-size 16 --packing",
    "Llama's shape": "pretrain --batch-size 16 --model.activation swiglu --model.num-kv-heads 1 --model.no-qk-norm",
    "mlm": "mlm --batch-size 16",
    "seq2seq": "seq2seq --data sorting:2000 --batch-size 128",
    "classify": "classify --texts 1000 --batch-size 32",
    "embed": "embed --data world/questions:2000 --batch-size 32",
    "embed, large batch": "embed --data world/questions:4000 --batch-size 128 --steps 20",
}
TUNED = {
    "finetune": "finetune PARENT --corpus world/sums:2000 --batch-size 16",
    "sft": "sft PARENT --data world/facts:2000 --batch-size 16",
    "sft, large batch": "sft PARENT --data world/facts:4000 --batch-size 48 --steps 20",
    "sft, LoRA": "sft PARENT --data world/facts:2000 --batch-size 16 --adapt.method lora",
    "sft, QLoRA": "sft PARENT --data world/facts:2000 --batch-size 16 --adapt.method qlora",
    "sft, virtual tokens": "sft PARENT --data world/facts:2000 --batch-size 16 --adapt.method prompt",
    "dpo": "dpo PARENT --pairs world:400 --held-out-pairs 40 --batch-size 16 --steps 20",
    "dpo, LoRA": "dpo PARENT --pairs world:400 --held-out-pairs 40 --batch-size 16 --steps 20 --adapt.method lora",
    "classify, LoRA": "classify PARENT --texts 1000 --batch-size 32 --adapt.method lora",
}
# Of a model that chats, since they learn from what it writes.
SPOKEN = {
    "grpo": "grpo TALKER --source world:400 --batch-size 32 --held-out-questions 60 --steps 20",
    "grpo, updated twice": "grpo TALKER --task facts --source world:1000 --batch-size 128 --updates 2",
    "grpo, LoRA": "grpo TALKER --task facts --source world:1000 --batch-size 64 --adapt.method lora",
    "verifier": "verifier TALKER --task facts --source world:600 --batch-size 32",
    "verifier, large batch": "verifier TALKER --task facts --source world:300 --no-balance --batch-size 128 --steps 20",
    "dpo, own pairs": "dpo TALKER --pairs none --pairs-from facts:600 --held-out-pairs 40 --batch-size 16",
    "dpo, own pairs and others": "dpo TALKER --pairs world:400 --pairs-from facts:300 --held-out-pairs 40 --steps 20",
    "embed, of a parent": "embed TALKER --data world/questions:1000 --batch-size 16",
}
OF_ANY_WIDTH = ("grpo", "verifier", "embed", "dpo")
# What a process has mapped and never touches: libraries, stacks, and what its allocator takes in advance.
MAPPED = """
import linnet.recipes.plan, linnet.core.options, linnet.explain.look, linnet.prove.before_training, torch
from linnet.core.allocator import keep_freed_memory
keep_freed_memory()
torch.ones(512, 512) @ torch.ones(512, 512)
pages = open("/proc/self/statm").read().split()
import os
print((int(pages[0]) - int(pages[1])) * os.sysconf("SC_PAGE_SIZE") + 64 * 2**20)
"""
MARGIN = 1.12  # of the forecast: what is given to `--memory`, so that the plan accepts it with a tenth in reserve


@dataclass(frozen=True)
class Outcome:
    """What was said of a training and what it took: bytes and seconds; the share of a core that each was given."""

    name: str
    said: dict[str, Any]
    memory: int
    seconds: float
    finished: bool
    planned_at: float
    ran_at: float

    @property
    def wrong(self) -> tuple[float, float]:
        """How far off memory and time were, as shares of what was measured."""
        return self.said["peak_memory_bytes"] / self.memory - 1, self.said["seconds"] / self.seconds - 1

    @property
    def wrong_alone(self) -> float:
        """How far off the time was where both are counted in seconds of a core: what others took of it is left out."""
        return self.said["seconds"] * self.planned_at / (self.seconds * self.ran_at) - 1


def words_of(line: str, parent: Path, talker: Path, threads: int) -> list[str]:
    """Return the words of a training without its run folder; what the line says wins over what is common."""
    recipe, *own = line.replace("PARENT", str(parent)).replace("TALKER", str(talker)).split()
    more = f"{COMMON} --steps 40 --threads {threads}".split()
    if recipe in ("pretrain", "mlm"):
        more += f"{TEXT} --vocab-size 1024".split()
    kept = [word for pair in zip(more[::2], more[1::2], strict=True) if pair[0] not in own for word in pair]
    return [recipe, *own, *_flags(kept)]


def _flags(words: list[str]) -> list[str]:
    """Return options with `--prove false` as the flag that it is."""
    text = " ".join(words).replace("--prove false", "--no-prove")
    return text.split()


def linnet(words: list[str], cap: int = 0, resident: int = 0) -> tuple[int, str, int, float, float]:
    """Run a command in a fresh process; return exit code, stdout, peak bytes, seconds, and seconds of a core.

    It may take an address space of `cap` bytes, or hold `resident` bytes; 0 is no bound.
    """

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (cap, cap))

    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "linnet", *words], stdout=said, stderr=log, preexec_fn=limited if cap else None
        )
        ended, status, used = os.wait4(process.pid, os.WNOHANG if resident else 0)
        while not ended:
            if most_held(process.pid) > resident:
                process.kill()
            time.sleep(0.05)
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        log.seek(0)
        if process.returncode:
            print(log.read()[-400:])
        return process.returncode, said.read(), used.ru_maxrss * 1024, seconds, used.ru_utime + used.ru_stime


def most_held(process: int) -> int:
    """Return the most bytes that a process has held; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def try_out(name: str, words: list[str], out: Path, mapped: int) -> Outcome:
    """Plan a training, plan it for that much memory, and run it under that cap."""
    code, said, _, planning, own = linnet(["plan", *words, "--json"])
    if code:
        raise SystemExit(f"{name}: could not be planned")
    found = json.loads(said)
    memory = int(MARGIN * found["peak_memory_bytes"])
    bound = {"resident": memory} if words[0] in OF_ANY_WIDTH else {"cap": memory + mapped}
    code, _, peak, seconds, used = linnet([*words, "--out", str(out)], **bound)
    kept = code == 0 and (words[0] not in OF_ANY_WIDTH or peak <= memory)
    return Outcome(name, found, peak, seconds, kept, own / planning, used / seconds)


def begin(names: list[str], parent: Path, talker: Path) -> None:
    """Make the models that trainings start from, where they are needed and not there."""
    if any(name in TUNED for name in names):
        linnet(["pretrain", *PARENT.split(), "--device", "cpu", "--out", str(parent)])
    if any(name in SPOKEN for name in names) and not talker.exists():
        before = talker.with_name("silent")
        linnet(["pretrain", *TALKER.split(), "--device", "cpu", "--out", str(before)])
        linnet(["sft", str(before), *TAUGHT.split(), "--device", "cpu", "--out", str(talker)])


def main(arguments: list[str]) -> None:
    """Try all trainings, or those that are named, and print a line for each."""
    parser = argparse.ArgumentParser(prog="python -m bench plan", description=__doc__)
    parser.add_argument("--only", nargs="*", help="names of trainings")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--talker", type=Path, help="run of a model that chats, instead of a small one made here")
    parser.add_argument("--json", type=Path, help="also write every number to this file")
    asked = parser.parse_args(arguments)
    mapped = int(subprocess.run([sys.executable, "-c", MAPPED], check=True, stdout=subprocess.PIPE).stdout)
    done: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        parent, talker = Path(folder) / "parent", asked.talker or Path(folder) / "talker"
        every = {**NEW, **TUNED, **SPOKEN}
        lines = {name: line for name, line in every.items() if asked.only is None or name in asked.only}
        begin(list(lines), parent, talker)
        head = f"{'':28}{'memory: said':>14}{'taken':>9}{'off':>7}{'time: said':>13}{'taken':>8}{'off':>7}"
        print(f"{head}{'alone':>7}  its cap")
        for number, (name, line) in enumerate(lines.items()):
            words = words_of(line, parent, talker, asked.threads)
            one = try_out(name, words, Path(folder) / f"run-{number}", mapped)
            done.append(one)
            memory, seconds = one.wrong
            print(
                f"{name:28}{one.said['peak_memory_bytes'] / 1e6:>11.0f} MB{one.memory / 1e6:>9.0f}{memory:>+7.1%}"
                f"{one.said['seconds']:>11.1f} s{one.seconds:>8.1f}{seconds:>+7.0%}{one.wrong_alone:>+7.0%}"
                f"  {'kept' if one.finished else 'NOT KEPT'}; {one.planned_at:.2f} and {one.ran_at:.2f} of a core",
                flush=True,
            )
    report(done)
    if asked.json is not None:
        asked.json.write_text(json.dumps([{**vars(one), "wrong": one.wrong} for one in done], indent=1))


def report(done: list[Outcome]) -> None:
    """Print how far off all of them were."""
    kinds = {
        "memory": [abs(one.wrong[0]) for one in done],
        "time": [abs(one.wrong[1]) for one in done],
        "time, what others took of the cores left out": [abs(one.wrong_alone) for one in done],
    }
    for what, off in kinds.items():
        print(f"{what}: off by {median(off):.1%} in the middle, {max(off):.1%} at most, of {len(off)} trainings")
