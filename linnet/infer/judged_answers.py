"""Answers of a model to the problems of a task, judged by the task's grader, as a file of rows for a verifier."""

import json
from itertools import islice
from pathlib import Path

from linnet.batches.judged import Judged
from linnet.core.console import logger
from linnet.core.errors import BadInput
from linnet.core.files import write_atomic
from linnet.data.sources import rows
from linnet.infer.candidates import candidates, digest_of, in_parts
from linnet.infer.config import SamplingConfig
from linnet.model.decoder import Decoder
from linnet.tasks.rows import read
from linnet.tasks.task import Task
from linnet.text.tokenizer import Tokenizer

FILES = "candidates-*.jsonl"
AT_ONCE = 64  # problems between two lines of log
SAMPLED_AT_ONCE = 256  # rows that are written at once
COLUMNS = ("question", "solution", "is_correct")  # those of GSM8K's published candidates


def make_judged_answers(
    folder: Path,
    model: Decoder,
    tokenizer: Tokenizer,
    task: Task,
    source: str,
    split: str,
    problems: int,
    answers: int,
    sampling: SamplingConfig,
) -> Path:
    """Write `candidates-HASH.jsonl` into a folder, or find it there: `answers` to each problem, with their judgement.

    The hash is of the weights and of what was asked, so that a resumed run finds what it began with. Answers that did
    not come to an end are left out. Raises BadInput when there are no problems.
    """
    asked = (task.name, source, split, problems, answers, sampling.model_dump(mode="json"))
    path = folder / FILES.replace("*", digest_of(model, tokenizer, *asked))
    if path.is_file():
        return path
    found: list[Judged] = []
    right = total = 0
    for examples in in_parts(task.examples(islice(read(task, source, split), problems)), AT_ONCE):
        for example, group in zip(
            examples, candidates(model, tokenizer, task, examples, answers, sampling), strict=True
        ):
            ended = [reply for reply in group if reply.finished]
            found += [Judged(example.question, reply.text.strip(), reply.grade.correct) for reply in ended]
            right += sum(reply.grade.correct for reply in ended)
            total += len(group)
        logger.info("%s: %d answers, %.1f%% right", task.name, total, 100 * right / total)
    write_judged(path, found)
    return path


def write_judged(path: Path, judged: list[Judged]) -> None:
    """Write judged answers as rows of JSON."""
    lines = [
        json.dumps(dict(zip(COLUMNS, (one.problem, one.answer, one.right), strict=True)), ensure_ascii=False)
        for one in judged
    ]
    write_atomic(path, "".join(line + "\n" for line in lines))


def read_judged(path: Path) -> list[Judged]:
    """Return judged answers from a file of rows; raises BadInput for a row without one of COLUMNS."""
    found = []
    for number, row in enumerate(rows(path), start=1):
        if missing := [name for name in COLUMNS if name not in row]:
            raise BadInput(
                f"{path}, row {number:,}: no column {missing[0]!r}; judged answers have {', '.join(COLUMNS)}"
            )
        problem, answer, right = (row[name] for name in COLUMNS)
        if not isinstance(problem, str) or not isinstance(answer, str) or not isinstance(right, bool):
            raise BadInput(f"{path}, row {number:,}: {', '.join(COLUMNS)} must be two texts and true or false")
        found.append(Judged(problem, answer.strip(), right))
    if not found:
        raise BadInput(f"{path}: no judged answers in it")
    return found
