"""What a model that chats gets right of a task's questions, before and after a training, with intervals.

N questions, one greedy reply to each.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from linnet.infer.candidates import Candidate, candidates
from linnet.infer.config import SamplingConfig
from linnet.metrics import bootstrap_interval, compare_paired
from linnet.model.decoder import Decoder
from linnet.tasks.task import Example, Task
from linnet.text.tokenizer import Tokenizer


def greedy_replies(
    model: Decoder, tokenizer: Tokenizer, task: Task, examples: Sequence[Example], sampling: SamplingConfig
) -> list[Candidate]:
    """Return the likeliest reply to each question, graded; of `sampling` the limit and the calculator hold."""
    greedy = sampling.but(temperature=0.0)
    return [group[0] for group in candidates(model, tokenizer, task, examples, 1, greedy)]


def reply_numbers(replies: Sequence[Candidate], name: str = "") -> dict[str, float]:
    """Return the mean score with its 95% interval, the mean tokens, and the share of replies that ended."""
    scores = scores_of(replies)
    low, high = bootstrap_interval(scores)
    found = {
        "score": float(scores.mean()),
        "score_low": low,
        "score_high": high,
        "reply_tokens": float(np.mean([len(reply.ids) for reply in replies])),
        "finished": float(np.mean([reply.finished for reply in replies])),
    }
    return {f"{key}{name}": value for key, value in found.items()}


def reply_gain(after: Sequence[Candidate], before: Sequence[Candidate]) -> dict[str, Any]:
    """Return how much more the replies after a training are worth than those before: a paired comparison."""
    found = compare_paired(scores_of(after), scores_of(before), higher_is_better=True)
    return {"gain": found.difference, "gain_low": found.low, "gain_high": found.high, "verdict": found.verdict}


def reply_samples(
    examples: Sequence[Example], before: Sequence[Candidate], after: Sequence[Candidate], shown: int = 6
) -> list[str]:
    """Return some questions with both replies, for people; those first whose score has changed."""
    rows = sorted(zip(examples, before, after, strict=True), key=lambda row: row[1].reward == row[2].reward)
    return [
        f"{example.question}\n\nbefore ({one.reward:g}): {one.text}\nafter ({two.reward:g}):  {two.text}"
        for example, one, two in rows[:shown]
    ]


def scores_of(replies: Sequence[Candidate]) -> np.ndarray:
    """Return the scores [N]."""
    return np.array([reply.reward for reply in replies])
