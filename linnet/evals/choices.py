"""Tasks measured by likelihood: which choice a model finds likeliest, whether it goes on so, how likely a text is.

The protocols are lm-eval's: a choice goes by the ln p of all its tokens ("accuracy") and by that for each of its
characters ("accuracy_by_length"); a cloze is right when greedy decoding writes just it; a whole text is read in
windows of the context that do not overlap, each after one token of the window before.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from linnet.core.errors import BadInput
from linnet.evals.asking import chat_continuation_ids, continuation_ids, prompt_ids
from linnet.infer.decode import start_id
from linnet.infer.score import Score, score
from linnet.metrics import bits_per_byte
from linnet.model.decoder import Decoder
from linnet.tasks import prompts
from linnet.tasks.language import size
from linnet.tasks.prompts import Shots
from linnet.tasks.task import Example, Grade, Task
from linnet.text.tokenizer import Tokenizer

Pair = tuple[list[int], list[int]]
# A wrong choice that is right by length was wrong for its length only.
BY_LENGTH = ("wrong choice", "violated")


@dataclass(frozen=True)
class Outcome:
    """An example, ln p of each choice (of the one continuation, of the text), the picks by it, and the grade."""

    example: Example
    logprobs: tuple[float, ...]
    grade: Grade
    picked: int = 0
    picked_by_length: int = 0


def measure(
    model: Decoder,
    tokenizer: Tokenizer,
    task: Task,
    examples: Iterable[Example],
    shots: Shots = prompts.NONE,
    *,
    chat: bool = False,
    begin: bool = True,
    batch_size: int = 32,
) -> list[Outcome]:
    """Return the outcome of each example of a task that is chosen, continued or measured as a text.

    A prompt that is too long loses its beginning. Raises BadInput for a task whose replies are written.
    """
    if task.form == "write":
        raise BadInput(f"{task.name}: its replies are written, not chosen; let the model write and grade that")
    examples = list(examples)
    asked: list[list[Pair]] = []
    for example in examples:
        if task.form == "text":
            ids = tokenizer.encode(example.answer)
            asked.append([([start_id(tokenizer)], ids)] if ids else [])
        else:
            asked.append(_pairs(tokenizer, task, example, shots.of(example), chat, begin))
    scores = iter(log_likelihoods(model, [pair for pairs in asked for pair in pairs], batch_size))
    return [
        _outcome(task, example, [next(scores) for _ in pairs]) for example, pairs in zip(examples, asked, strict=True)
    ]


def log_likelihoods(model: Decoder, pairs: Sequence[Pair], batch_size: int = 32) -> list[Score]:
    """Return the score of each continuation after its prompt, however long: windows of the context, as lm-eval has.

    A prompt keeps its end; a continuation longer than the context is read in parts, each after one token before it
    (the last part after as many as there is room for).
    """
    room = model.config.context_length
    parts = [_parts(prompt, continuation, room) for prompt, continuation in pairs]
    flat = [part for some in parts for part in some]
    scores = iter(score(model, [part[0] for part in flat], [part[1] for part in flat], batch_size))
    joined = []
    for some in parts:
        found = [next(scores) for _ in some]
        logprobs = tuple(value for one in found for value in one.logprobs)
        joined.append(Score(logprobs, all(one.is_greedy for one in found)))
    return joined


def totals(task: Task, outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the numbers of all outcomes together, by the names of the protocols.

    Choices: accuracy, accuracy_by_length. Cloze: accuracy, perplexity (of the word: exp of the mean nats). Texts:
    word_perplexity, byte_perplexity, bits_per_byte (see linnet.tasks.language).
    """
    if task.form == "text":
        nats = -sum(outcome.logprobs[0] for outcome in outcomes)
        sizes = [size(outcome.example) for outcome in outcomes]
        words, count = sum(one.words for one in sizes), sum(one.bytes for one in sizes)
        per_byte = bits_per_byte(nats, count)
        return {"word_perplexity": _exp(nats / words), "byte_perplexity": 2**per_byte, "bits_per_byte": per_byte}
    found = {"accuracy": float(np.mean([outcome.grade.score for outcome in outcomes]))}
    if task.form == "continue":
        return {**found, "perplexity": _exp(-float(np.mean([outcome.logprobs[0] for outcome in outcomes])))}
    right = [outcome.picked_by_length == outcome.example.gold for outcome in outcomes]
    return {**found, "accuracy_by_length": float(np.mean(right))}


def _pairs(
    tokenizer: Tokenizer, task: Task, example: Example, shots: Sequence[Example], chat: bool, begin: bool
) -> list[Pair]:
    continuations = example.choices if task.form == "choose" else (example.answer,)
    if chat:
        prompt = prompt_ids(tokenizer, example, shots, chat=True)
        return [(prompt, chat_continuation_ids(tokenizer, continuation)) for continuation in continuations]
    text = prompts.as_text(example, shots)
    return [continuation_ids(tokenizer, text, continuation, begin) for continuation in continuations]


def _parts(prompt: Sequence[int], continuation: Sequence[int], room: int) -> list[Pair]:
    """Return (prompt, continuation) for each window over a pair; a window predicts at most `room` tokens."""
    if not continuation:
        raise BadInput("a continuation of no tokens cannot be scored: is a choice empty?")
    if len(continuation) <= room:
        return [(list(prompt[-(room + 1 - len(continuation)) :]), list(continuation))]
    whole = [prompt[-1], *continuation]
    parts = []
    for begin in range(0, len(continuation), room):
        end = min(begin + room, len(continuation))
        parts.append((list(whole[max(0, end - room) : begin + 1]), list(whole[begin + 1 : end + 1])))
    return parts


def _outcome(task: Task, example: Example, scores: Sequence[Score]) -> Outcome:
    logprobs = tuple(one.total for one in scores)
    if task.form == "text":
        words, count = size(example)
        nats = -sum(logprobs)
        numbers = {"nats": nats, "words": float(words), "bytes": float(count)}
        return Outcome(example, (-nats,), Grade(math.exp(-nats / max(count, 1)), "", numbers=numbers))
    if task.form == "continue":
        grade = Grade(1.0, example.answer.strip()) if scores[0].is_greedy else Grade(0.0, "", "other word")
        return Outcome(example, logprobs, replace(grade, numbers={"nats": -logprobs[0]}))
    picked = int(np.argmax(logprobs))
    lengths = [len(choice) - choice[:1].isspace() for choice in example.choices]
    by_length = int(np.argmax(np.array(logprobs) / np.maximum(lengths, 1)))
    return Outcome(example, logprobs, _chosen(task, example, picked, by_length), picked, by_length)


def _chosen(task: Task, example: Example, picked: int, by_length: int) -> Grade:
    said = example.choices[picked].strip()
    numbers = {"by_length": float(by_length == example.gold)}
    if picked == example.gold:
        return Grade(1.0, said, numbers=numbers)
    category = task.grade(example, example.choices[picked]).category or "wrong choice"
    if category in BY_LENGTH and by_length == example.gold:
        category = "length only"
    return Grade(0.0, said, category, numbers)


def _exp(nats: float) -> float:
    return math.exp(nats) if nats < 700 else math.inf
