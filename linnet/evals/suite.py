"""Tasks asked of a model: every row's reply, grade and kind of mistake, and the protocol that the numbers belong to."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linnet.evals import choices
from linnet.evals.asking import cut, prompt_ids, reply_room
from linnet.evals.measures import Measure, measures
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import Completion, generate
from linnet.model.decoder import Decoder
from linnet.tasks import prompts
from linnet.tasks.prompts import Shots
from linnet.tasks.task import Example, Grade, Task
from linnet.text.chat import reply_ends
from linnet.text.tokenizer import Tokenizer

GREEDY = SamplingConfig(temperature=0)


@dataclass(frozen=True)
class Way:
    """How models are asked: in a chat or by plain prompts, after how many shots, with how many sampled replies."""

    chat: bool = False
    shots: Shots = prompts.NONE
    sampling: SamplingConfig = GREEDY
    samples: int = 1
    batch_size: int = 64


@dataclass(frozen=True)
class Answer:
    """A row as it was asked, what was replied (of several samples the first) and how that is graded."""

    example: Example
    reply: str
    grade: Grade
    right: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Asked:
    """All rows of a task, the protocol in words, and the seconds it took."""

    task: Task
    answers: tuple[Answer, ...]
    protocol: str
    seconds: float

    def measures(self) -> list[Measure]:
        """Return the numbers of all rows, the main one first."""
        examples, grades = zip(*((answer.example, answer.grade) for answer in self.answers), strict=True)
        replies = [answer.reply for answer in self.answers] if self.task.form == "write" else []
        right = np.array([answer.right for answer in self.answers]) if self.answers[0].right else None
        return measures(self.task, examples, grades, replies, right)


def ask_task(model: Decoder, tokenizer: Tokenizer, task: Task, examples: Sequence[Example], way: Way) -> Asked:
    """Ask a model all examples (one at least) of a task."""
    began = time.perf_counter()
    if task.form == "write":
        answers = _written(model, tokenizer, task, examples, way)
    else:
        # Scoring has no cache to fill, but logits of all tokens: half the rows take the same memory.
        size = max(1, way.batch_size // 2)
        found = choices.measure(model, tokenizer, task, examples, way.shots, chat=_chats(task, way), batch_size=size)
        answers = [Answer(outcome.example, outcome.grade.said, outcome.grade) for outcome in found]
    return Asked(task, tuple(answers), protocol(task, way, model), time.perf_counter() - began)


def ask(
    model: Decoder,
    tokenizer: Tokenizer,
    examples: Sequence[Example],
    task: Task,
    sampling: SamplingConfig,
    chat: bool,
    shots: Shots = prompts.NONE,
    batch_size: int = 64,
) -> list[Completion]:
    """Return the model's reply to each example, in order; rows are batched by length.

    An example that comes several times gets a sample of its own each time. A plain reply also ends at the task's stop
    strings; a prompt that leaves no room in the context loses its beginning.
    """
    room = reply_room(model, sampling.max_tokens)
    asked = [cut(model, prompt_ids(tokenizer, one, shots.of(one), chat), room) for one in examples]
    sampling = sampling.but(max_tokens=room, stop=sampling.stop or (() if chat else task.stop))
    ends = reply_ends(tokenizer) if chat else None
    # The longest first: what does not fit into memory is met at once. Copies of a prompt keep their order.
    order = sorted(range(len(asked)), key=lambda number: -len(asked[number]))
    ordered = [asked[number] for number in order]
    found = generate(model, tokenizer, ordered, sampling, stop_ids=ends, batch_size=batch_size)
    replies = dict(zip(order, found, strict=True))
    return [replies[number] for number in range(len(asked))]


def protocol(task: Task, way: Way, model: Decoder) -> str:
    """Say in words how a task is asked and graded."""
    if task.form == "text":
        return f"whole texts in windows of {model.config.context_length} tokens that do not overlap, no shots"
    shots = f"{way.shots.count} shots" if way.shots.count else "no shots"
    form = f"{'chat format' if _chats(task, way) else 'plain prompt'}, {shots}"
    if task.form == "choose":
        unit = "its whole reply" if _chats(task, way) else "all its tokens"
        return f"{form}; the choice with the highest ln p of {unit} (by length: of each of its letters)"
    if task.form == "continue":
        return f"{form}; right when greedy decoding writes just the word"
    how = "greedy" if not way.sampling.temperature else f"{way.samples} samples at {_sampling(way.sampling)}"
    tool = ", calculator on" if way.sampling.calculator else ""
    return f"{form}; {how}, at most {reply_room(model, task.max_tokens)} tokens{tool}; graded by {task.metric}"


def _written(model: Decoder, tokenizer: Tokenizer, task: Task, examples: Sequence[Example], way: Way) -> list[Answer]:
    sampling = way.sampling.but(max_tokens=task.max_tokens)
    many = [example for example in examples for _ in range(way.samples)]
    done = ask(model, tokenizer, many, task, sampling, way.chat, way.shots, way.batch_size)
    answers = []
    for place, example in enumerate(examples):
        replies = [one.text for one in done[place * way.samples : (place + 1) * way.samples]]
        grades = [task.grade(example, reply) for reply in replies]
        answers.append(Answer(example, replies[0], _mean(grades), tuple(grade.correct for grade in grades)))
    return answers


def _mean(grades: Sequence[Grade]) -> Grade:
    """Return the first grade with the mean score and numbers of all."""
    first = grades[0]
    numbers = {name: float(np.mean([grade.numbers[name] for grade in grades])) for name in first.numbers}
    return Grade(float(np.mean([grade.score for grade in grades])), first.said, first.category, numbers)


def _chats(task: Task, way: Way) -> bool:
    """Say whether a task is put in the chat format: a cloze and a text go on as they are, whoever is asked."""
    return way.chat and task.form in ("write", "choose")


def _sampling(sampling: SamplingConfig) -> str:
    filters = {
        "top-k": sampling.top_k or None,
        "top-p": sampling.top_p if sampling.top_p < 1 else None,
        "repetition penalty": sampling.repetition_penalty if sampling.repetition_penalty != 1 else None,
    }
    said = [f"temperature {sampling.temperature}", *(f"{name} {value}" for name, value in filters.items() if value)]
    return f"{', '.join(said)}, seed {sampling.seed}"
