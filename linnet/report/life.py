"""The page of a life: what came out, what it wrote while it learned, curves, cost of each stage, what to try next."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linnet.core.files import read_json
from linnet.core.run import Run, read_metrics
from linnet.data.world import check_story
from linnet.report import gains, run_folder
from linnet.report.curves import Level, curves
from linnet.report.page import (
    Command,
    Commands,
    Curves,
    Headline,
    Headlines,
    Sample,
    Samples,
    duration,
    stages_table,
    write_page,
)

SHOWN, ASKED = 6, 3  # stories, questions on the page
MODELS = {"pretrain": "base", "sft": "SFT", "dpo": "DPO"}  # stage -> its name for people


def write_life_page(
    folder: Path,
    stages: Mapping[str, Path],
    task: str,
    gained: Sequence[Mapping[str, Any]],
    replies: Mapping[str, Path],
) -> Path:
    """Write `index.html` over finished stages; `gained` is what each was worth at a task, `replies` what it said there.

    Raises BadInput naming the file when a run folder is not whole.
    """
    training, measured = stages["pretrain"], Run.result(stages["writing"])
    asked = Run.result(stages["tasks"])
    levels = [Level(name, rate) for name, rate in beside(measured)]
    return write_page(
        folder,
        Headlines("What came out", (*gains.headlines(stages, gained, task), *headlines(training, measured))),
        gains.gains_table(gained, task, costs(stages)),
        gains.tasks_table(asked["rows"], MODELS),
        Curves(
            "Thinking longer",
            (gains.compute_chart(stages["search"]),),
            "Several tries at each question: the answer given most often, or the one that the verifier trusts.",
        ),
        Samples(
            f"Before and after: {task}",
            gains.asked_before_and_after(replies, ASKED),
            "The first held-out questions, put to the model after each stage.",
        ),
        Samples(
            "What it wrote while it learned",
            run_folder.before_midway_after(run_folder.samples(training)),
            "One sample at each of three moments, always from the same seed; nothing is picked by hand.",
        ),
        Curves("How it learned", tuple(curves({name: stages[run] for run, name in MODELS.items()}, levels))),
        Samples(
            "Stories that it writes now",
            tuple(judged(story) for story in measured["texts"][:SHOWN]),
            f"The first of {measured['writing']['stories']} sampled stories, each with the checker's verdict.",
        ),
        run_folder.facts(training),
        stages_table([run_folder.stage(name, stage) for name, stage in stages.items()]),
        run_folder.files_table(folder, stages.values()),
        Commands("What to try next", next_commands(training, stages["dpo"])),
        title="A language model of your own",
        lead="All on this page was made on this machine: the tokenizer, the model, its stories, its answers and its "
        "measures.",
    )


def costs(stages: Mapping[str, Path]) -> dict[str, str]:
    """Return how long each stage of the table of gains took, as people say it."""
    taken = {name: gains.seconds_of(stages[run]) for run, name in MODELS.items()}
    others = {"majority vote": "search", "verifier's vote": "verifier", "calculator": "calculator"}
    taken |= {name: gains.seconds_of(stages[stage]) for name, stage in others.items() if stage in stages}
    return {name: duration(seconds) for name, seconds in taken.items()}


def headlines(training: Path, measured: Mapping[str, Any]) -> tuple[Headline, ...]:
    """Return the numbers to read first, each beside what trivial means reach."""
    result, steps = Run.result(training), read_metrics(training)
    writing, ngram = measured["writing"], measured["baselines"][-1]["writing"]
    speeds = sorted(line["tokens_per_second"] for line in steps if "tokens_per_second" in line)
    shares = sorted(line["matmul_share"] for line in steps if "matmul_share" in line)
    seconds = read_json(training / "record.json")["wall_clock_seconds"]
    return (
        Headline(
            "Held-out bits per byte",
            f"{measured['held_out']['bits_per_byte']:.3f}",
            ", ".join(f"{name} {rate:.3f}" for name, rate in beside(measured)),
            measured["held_out"]["protocol"],
        ),
        Headline(
            "Consistent stories",
            f"{writing['share']:.1%}",
            f"95% interval {writing['share_low']:.1%} to {writing['share_high']:.1%}; n-gram {ngram['share']:.1%}",
            f"{writing['consistent']} of {writing['stories']} stories pass the small world's own checker; "
            f"sampled at temperature {writing['temperature']}, repetition penalty {writing['repetition_penalty']}",
        ),
        Headline("New stories", f"{1 - writing['memorised']:.1%}", f"{writing['distinct']:.1%} of them differ"),
        Headline("Pretraining time", duration(seconds), f"{result['steps']:,} steps, {result['tokens']:,} tokens"),
        Headline(
            "Speed",
            f"{speeds[len(speeds) // 2]:,.0f} tokens/s",
            f"{shares[len(shares) // 2]:.0%} of what this machine's matrix products reach",
            "median of the logged steps; the limit was measured in the same run",
        ),
    )


def beside(measured: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return the baselines to show: plain gzip and the n-gram model, the last one measured."""
    rows = measured["baselines"]
    return [(row["name"], row["bits_per_byte"]) for row in (rows[0], rows[-1])]


def judged(story: str) -> Sample:
    """Return a story with what the checker says of it."""
    verdict = check_story(story)
    problems = tuple(f"{problem.sentence} ({problem.reason})" for problem in verdict.problems)
    return Sample(story, "consistent" if verdict.ok else f"{len(problems)} problems", problems)


def next_commands(training: Path, chatting: Path) -> tuple[Command, ...]:
    """Return what to type next, and why."""
    return (
        Command(f"linnet chat {chatting}", "Ask it something, such as a sum in words."),
        Command(f"linnet prove {chatting}", "Hold it to what must be true of it."),
        Command(f'linnet generate {training} --prompt "One sunny day, Mira"', "Let it go on from words of yours."),
        Command(f"linnet generate {training} --interactive", "Write a story in turns with it."),
        Command("linnet pretrain --corpus my-book.txt --out runs/my-book", "Train on a text of your own."),
        Command(f"linnet evaluate {training} --corpus my-book.txt", "Measure it on text it has never seen."),
        Command(f"tensorboard --logdir {training}", "Look at the curves in TensorBoard."),
    )
