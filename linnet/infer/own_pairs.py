"""Pairs made of a model's own replies to a task: a right one against a wrong one, as a file of rows."""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

from linnet.core.console import logger
from linnet.core.errors import BadInput, NothingToLearn
from linnet.core.files import write_atomic
from linnet.infer.candidates import Candidate, candidates, chat_prompt, digest_of, in_parts, most_prompt
from linnet.infer.config import SamplingConfig
from linnet.model.decoder import Decoder
from linnet.tasks import find
from linnet.tasks.rows import read
from linnet.tasks.task import Example
from linnet.text.tokenizer import Tokenizer

AT_ONCE = 128  # questions
FILES = "own_pairs-*.jsonl"


def make_own_pairs(
    folder: Path,
    model: Decoder,
    tokenizer: Tokenizer,
    asked: str,
    replies: int,
    seed: int,
    by: Literal["answers", "steps"] = "answers",
    most: int = 2,
) -> Path:
    """Write `own_pairs-HASH.jsonl` into a folder, or find it there: replies to `TASK:COUNT[:SEED]`, paired.

    The questions are training rows of the small world with that seed (by default 0), so that another seed than that
    of the model's own training asks what it has not seen solved; each is asked `replies` times at temperature 1, and
    paired `by` right and wrong answers, or by steps: the first wrong calculation and the same put right. The hash is of
    the weights and of what was asked. Questions that leave no room for a reply are not asked. Raises NothingToLearn
    when that gives no pair.
    """
    name, source, count = parsed(asked)
    task = find(name)
    if by == "steps" and task.mended is None:
        raise BadInput(f"--pairs-from {asked}: only sums can be put right step by step; leave out --pairs-by steps")
    path = folder / FILES.replace("*", digest_of(model, tokenizer, asked, replies, seed, by, most))
    if path.is_file():
        return path
    sampling = SamplingConfig(max_tokens=task.max_tokens, seed=seed)
    rows, right, asked_for = [], 0, 0
    room = most_prompt(model.config.context_length)
    asking = task.examples(islice(read(task, source, "train"), count))
    short = (one for one in asking if len(chat_prompt(tokenizer, one)) <= room)
    for examples in in_parts(short, AT_ONCE):
        groups = candidates(model, tokenizer, task, examples, replies, sampling)
        if by == "steps":
            assert task.mended is not None
            rows += mended_pairs(examples, groups, task.mended, most)
        else:
            rows += own_pairs(examples, groups, most, task.flawed)
        right += sum(reply.grade.correct for group in groups for reply in group)
        asked_for += len(examples) * replies
        logger.info("%s: %d replies, %.1f%% right, %d pairs", name, asked_for, 100 * right / asked_for, len(rows))
    if not rows:
        missed = "one with a wrong step" if by == "steps" else "both a right and a wrong one"
        raise NothingToLearn(
            f"--pairs-from {asked}: of {asked_for:,} replies {right:,} are right, and no question got {missed}: "
            "nothing to pair; ask more questions, or train on the task first"
        )
    write_atomic(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def own_pairs(
    examples: Sequence[Example],
    replies: Sequence[Sequence[Candidate]],
    most: int = 2,
    flawed: Callable[[str], bool] | None = None,
) -> Iterator[dict[str, str]]:
    """Yield rows `prompt`, `chosen`, `rejected`, `reason` of a right and a wrong reply to one question, at most `most`.

    Each reply is used once and none that did not end; a question whose replies are all right or all wrong gives none.
    A right answer that was come to by a wrong step (one that is `flawed`) is no example to follow and is left out.
    """
    for example, group in zip(examples, replies, strict=True):
        ended = {reply.text.strip(): reply.grade for reply in group if reply.finished}
        right = [text for text, grade in ended.items() if grade.correct and not (flawed and flawed(text))]
        wrong = [(text, grade.category) for text, grade in ended.items() if not grade.correct]
        for chosen, (rejected, category) in zip(right[:most], wrong, strict=False):
            row = {"prompt": example.question, "chosen": chosen, "rejected": rejected}
            yield {**row, "reason": category or "wrong"}


def mended_pairs(
    examples: Sequence[Example],
    replies: Sequence[Sequence[Candidate]],
    mended: Callable[[str], tuple[str, str] | None],
    most: int = 2,
) -> Iterator[dict[str, str | bool]]:
    """Yield rows like those of `own_pairs` of replies that break off at a wrong step, and the same put right.

    At most `most` different ones of a question, whether or not its answer came out right.
    """
    for example, group in zip(examples, replies, strict=True):
        slips = {pair: None for reply in group if (pair := mended(reply.text.strip())) is not None}
        for rejected, chosen in islice(slips, most):
            row = {"prompt": example.question, "chosen": chosen, "rejected": rejected}
            yield {**row, "reason": "arithmetic", "unfinished": True}


def parsed(asked: str) -> tuple[str, str, int]:
    """Return task, source and number of questions of `TASK:COUNT[:SEED]`; raises BadInput for anything else."""
    name, *numbers = asked.split(":")
    if len(numbers) not in (1, 2) or not all(number.isdecimal() for number in numbers) or int(numbers[0]) < 1:
        raise BadInput(f"--pairs-from {asked}: write TASK:COUNT or TASK:COUNT:SEED, such as sums:2000")
    return name, ":".join(["world", *numbers]), int(numbers[0])
