"""Requests that run in the engine: what each has still to read and write, and how all choose their next tokens.

N requests that speak, V vocabulary.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from linnet.infer.config import SamplingConfig
from linnet.infer.decode import Top, Writer, default_stops
from linnet.infer.requests import Event, Request
from linnet.infer.rows import Choice
from linnet.infer.sampling import Draws, pick, report
from linnet.infer.slots import Slot
from linnet.infer.speculative import Guesses, Shares
from linnet.text.tokenizer import Tokenizer


class Running:
    """A request in a slot; `pending` is the token chosen last, which the model has not read yet.

    `guessed` are the tokens that the model reads after it in this step, in case they are what it says.
    """

    def __init__(
        self,
        number: int,
        request: Request,
        prompt: list[int],
        slot: Slot,
        budget: int,
        tokenizer: Tokenizer | None,
        device: torch.device,
        shares: Shares,
    ):
        """Begin with a prompt's ids; `budget` tokens may follow, chosen from logits on the device.

        `shares` is what the engine's texts have taught of guesses.
        """
        sampling = request.sampling
        stops = default_stops(tokenizer) if request.stop_ids is None else request.stop_ids
        self.number, self.request, self.prompt, self.slot, self.left = number, request, prompt, slot, budget
        self.pending = -1
        self.draws = Draws(sampling.seed, [prompt], [request.copy], device) if sampling.temperature else None
        self.written: set[int] = set(prompt)  # asked only where repetition is penalised
        self.guessed: list[int] = []
        self._guesses = Guesses(shares) if request.speculative else None
        self._ids = list(prompt) if request.speculative else []
        self._learns = False
        self._writer = Writer(number, prompt, tokenizer, sampling, frozenset(stops))

    @property
    def unread(self) -> int:
        """Return how many tokens of the prompt are still to be read; 0 when it writes."""
        return max(0, len(self.prompt) - len(self.slot.held))

    @property
    def forced(self) -> int | None:
        """Return the token that must come next, None where the model chooses."""
        return self._writer.next

    def guess(self, most: int) -> tuple[int, float]:
        """Guess up to `most` tokens after the pending one: what must come, or what is looked up.

        Return how many, and the chance of each to be kept. The last token of the budget is never guessed.
        """
        self.guessed, chance = [], 0.0
        if self._guesses is not None:
            coming = self._writer.coming
            self.guessed, chance = (coming, 1.0) if coming else self._guesses.guess(self._ids)
            self.guessed = self.guessed[: max(0, min(most, self.left - 1))]
            self._learns = not coming
        return len(self.guessed), chance

    def keep(self, count: int) -> None:
        """Note that so many of the guesses were what the model said: they have been read, the others have not."""
        self.slot.held.extend(self.guessed[:count])
        if self._guesses is not None and self._learns and self.guessed:
            self._guesses.learn(len(self.guessed), count)
        self.guessed = []

    def say(self, id: int, logprob: float | None, top: Top) -> Event:
        """Note the token that was chosen and return its event; without `finish` there is room for another."""
        given = self.forced is not None
        self.pending, self.left = id, self.left - 1
        self.written.add(id)
        if self._guesses is not None:
            self._ids.append(id)
        said = self._writer.event(Choice(self.number, id, 0.0, top, self.left == 0, given))
        return Event(self.number, id, said.text, 0.0 if given else logprob, top, said.finish_reason, given)


def choose(speaking: Sequence[Running], logits: Tensor) -> list[Event]:
    """Choose a token for each of those who speak from logits [N, V]; return their events."""
    logits = logits.float()
    ids = _ids(speaking, logits)
    for place, one in enumerate(speaking):
        if one.forced is not None:
            ids[place] = one.forced
    counts = [one.request.sampling.top_logprobs for one in speaking]
    heard = [one.request.logprobs or count > 0 for one, count in zip(speaking, counts, strict=True)]
    numbers: list[float | None] = [None] * len(heard)
    tops: list[Top] = [()] * len(heard)
    if any(heard):
        found, tops = report(logits, ids, max(counts))
        numbers = [number if asked else None for number, asked in zip(found, heard, strict=True)]
    rows = zip(speaking, ids.tolist(), numbers, tops, counts, strict=True)
    return [one.say(id, number, top[:count]) for one, id, number, top, count in rows]


def _ids(speaking: Sequence[Running], logits: Tensor) -> Tensor:
    """Return the next ids [N]; those who sample alike are drawn together."""
    groups: dict[tuple[float, ...], list[int]] = {}
    for place, one in enumerate(speaking):
        groups.setdefault(_way(one.request.sampling), []).append(place)
    ids = torch.empty(len(speaking), dtype=torch.int64, device=logits.device)
    for places in groups.values():
        members = [speaking[place] for place in places]
        sampling = members[0].request.sampling
        draws = [one.draws.next() for one in members if one.draws is not None]
        seen = _seen(members, logits) if sampling.repetition_penalty != 1 else None
        uniforms = torch.cat(draws) if draws else None
        if len(groups) == 1:
            return pick(logits, sampling, uniforms, seen)
        ids[places] = pick(logits[places], sampling, uniforms, seen)
    return ids


def _way(sampling: SamplingConfig) -> tuple[float, ...]:
    """Return what must be equal for two requests to be drawn together."""
    return sampling.temperature, sampling.top_k, sampling.top_p, sampling.min_p, sampling.repetition_penalty


def _seen(members: Sequence[Running], logits: Tensor) -> Tensor:
    """Mark the tokens [N, V] that prompt and text of each hold."""
    rows = [place for place, one in enumerate(members) for _ in one.written]
    ids = [id for one in members for id in one.written]
    seen = torch.zeros(len(members), int(max([logits.shape[1] - 1, *ids])) + 1, dtype=torch.bool, device=logits.device)
    seen[rows, ids] = True
    return seen[:, : logits.shape[1]]
