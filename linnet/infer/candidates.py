"""Several replies of a model to each question of a task, graded: to pair right with wrong, and to reward."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from linnet.batches.pairs import prompt_is_held_out
from linnet.core.console import logger
from linnet.core.errors import BadInput
from linnet.data.sources import is_world
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.model.decoder import Decoder
from linnet.tasks.prompts import as_messages
from linnet.tasks.rows import read
from linnet.tasks.task import Example, Grade, Task
from linnet.text.chat import render, reply_ends
from linnet.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Candidate:
    """A reply as text and ids (the stop token included), its grade, and whether it ended by itself.

    `given` are the places in `ids` of tokens that the calculator put in.
    """

    text: str
    ids: tuple[int, ...]
    grade: Grade
    finished: bool
    given: tuple[int, ...] = ()

    @property
    def learned(self) -> list[bool]:
        """Return for each token whether the model chose it."""
        given = set(self.given)
        return [place not in given for place in range(len(self.ids))]

    @property
    def reward(self) -> float:
        """Return the score; a reply that does not come to an end is worth nothing, whatever it says."""
        return self.grade.score if self.finished else 0.0


def candidates(
    model: Decoder,
    tokenizer: Tokenizer,
    task: Task,
    examples: Sequence[Example],
    count: int,
    sampling: SamplingConfig,
    batch_size: int = 128,
) -> list[list[Candidate]]:
    """Return `count` graded replies in the chat format to each question.

    What a reply says follows from the weights, the seed, its question and its number alone. Raises BadInput for a
    question that is longer than the context.
    """
    prompts = [prompt for example in examples for prompt in [chat_prompt(tokenizer, example)] * count]
    ends = reply_ends(tokenizer)
    written = generate(model, tokenizer, prompts, sampling, stop_ids=ends, batch_size=batch_size)
    asked = [example for example in examples for _ in range(count)]
    found = [
        Candidate(one.text, one.ids, task.grade(example, one.text), one.finish_reason == "stop", one.given)
        for example, one in zip(asked, written, strict=True)
    ]
    return [found[first : first + count] for first in range(0, len(found), count)]


def chat_prompt(tokenizer: Tokenizer, example: Example) -> list[int]:
    """Return the ids of a question, up to where the reply begins."""
    return render(tokenizer, as_messages(example), reply=True).ids


def read_questions(
    task: Task, source: str, tokenizer: Tokenizer, context: int, share: float, most: int
) -> tuple[list[Example], list[Example], dict[str, str]]:
    """Return a task's questions to learn from, those held out (at most `most`), and the hashes of both.

    The small world holds out its validation split, other sources a share of the questions, chosen by their ids.
    Questions that leave no room for a reply are left out. Raises BadInput when too few are left.
    """
    world = is_world(source)
    learn: list[Example] = []
    held_out: list[Example] = []
    dropped = 0
    for split in ("train", "validation") if world else ("train",):
        for example in task.examples(read(task, source, split)):
            prompt = chat_prompt(tokenizer, example)
            held = split == "validation" if world else prompt_is_held_out(prompt, share)
            if held and len(held_out) == most:
                if world:
                    break
                continue
            if len(prompt) > most_prompt(context):
                dropped += 1
            else:
                (held_out if held else learn).append(example)
    if dropped:
        logger.info("%s: left out %d questions of more than half the context", source, dropped)
    if not learn or len(held_out) < 2:
        raise BadInput(f"{source}: {len(learn)} questions to learn from and {len(held_out)} held out: too few")
    return learn, held_out, {"questions": _hash(learn), "held_out": _hash(held_out)}


def most_prompt(context: int) -> int:
    """Return how many tokens a question may have: half of the context, so that there is room for a reply."""
    return context // 2


def digest_of(model: Decoder, tokenizer: Tokenizer, *asked: Any) -> str:
    """Return 12 hex digits of what replies follow from: weights, tokenizer, and JSON values of what was asked."""
    digest = hashlib.sha256(json.dumps([*asked, tokenizer.hash]).encode())
    for weights in model.state_dict().values():
        digest.update(weights.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def in_parts(examples: Iterable[Example], size: int) -> Iterator[list[Example]]:
    """Yield examples in lists of `size`, the last one shorter."""
    waiting = iter(examples)
    while part := list(islice(waiting, size)):
        yield part


def _hash(examples: Sequence[Example]) -> str:
    return hashlib.sha256(json.dumps([[one.question, one.answer] for one in examples]).encode()).hexdigest()
