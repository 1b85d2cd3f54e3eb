"""How likely a model finds given continuations: log-likelihoods, the other use of a language model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F

from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder


@dataclass(frozen=True)
class Score:
    """ln p of each token of a continuation, and whether greedy decoding would have written just it."""

    logprobs: tuple[float, ...]
    is_greedy: bool

    @cached_property
    def total(self) -> float:
        """Return ln p of the whole continuation."""
        return sum(self.logprobs)


@torch.inference_mode()
def score(
    model: Decoder,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[int]],
    batch_size: int = 32,
) -> list[Score]:
    """Return the score of each continuation after its prompt (both ids), in order; rows are batched by length.

    Raises BadInput for an empty prompt or continuation, or when both together are longer than the context + 1 (the
    last token is only predicted).
    """
    pairs = list(zip(prompts, continuations, strict=True))
    for number, (prompt, continuation) in enumerate(pairs, start=1):
        _check(number, prompt, continuation, model)
    order = sorted(range(len(pairs)), key=lambda number: -len(pairs[number][0]) - len(pairs[number][1]))
    scores: dict[int, Score] = {}
    training = model.training
    model.eval()
    try:
        for first in range(0, len(order), batch_size):
            part = order[first : first + batch_size]
            scores.update(zip(part, _score_batch(model, [pairs[number] for number in part]), strict=True))
    finally:
        model.train(training)
    return [scores[number] for number in range(len(pairs))]


def _score_batch(model: Decoder, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[Score]:
    rows = [[*prompt, *continuation] for prompt, continuation in pairs]
    lengths = torch.tensor([len(row) - 1 for row in rows])
    ids = torch.zeros(len(rows), int(lengths.max()) + 1, dtype=torch.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
    device = model.embedding.weight.device
    ids = ids.to(device)
    logits = model(ids[:, :-1], lengths=lengths.to(device)).float()
    logprobs = -F.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none").cpu()  # [B, T]
    greedy = (logits.argmax(-1) == ids[:, 1:]).cpu()
    found = []
    for place, (prompt, continuation) in enumerate(pairs):
        part = slice(len(prompt) - 1, len(prompt) - 1 + len(continuation))
        found.append(Score(tuple(logprobs[place, part].tolist()), bool(greedy[place, part].all())))
    return found


def _check(number: int, prompt: Sequence[int], continuation: Sequence[int], model: Decoder) -> None:
    if not prompt or not continuation:
        raise BadInput(f"pair {number}: a score needs a prompt and a continuation of at least one token each")
    length, room = len(prompt) + len(continuation), model.config.context_length + 1
    if length > room:
        raise BadInput(f"pair {number}: {length:,} tokens, the model's context holds {room:,}: shorten the prompt")
