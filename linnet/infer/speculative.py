"""Speculative decoding: a draft guesses several tokens, the model checks them in a single pass.

Leviathan et al. 2023, arXiv 2211.17192. What comes out has exactly the model's own distribution, whatever the draft;
greedy tokens are those of plain decoding. n guesses, V vocabulary.

A guess that was certain (looked up) is kept where it is what the model draws at its place: then the text is the very
one of plain decoding, as long as the n-th token is drawn by the n-th random number. The serving engine checks so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import Event, Prompt, Writer, default_stops, prompt_ids
from linnet.infer.rows import PREFILL_TOKENS, Choice, check_prompts, goes_beyond_context, read
from linnet.infer.sampling import filtered, report, row_seed, sample
from linnet.infer.slots import common_prefix
from linnet.model.decoder import Decoder
from linnet.model.slot_cache import SlotCache
from linnet.text.tokenizer import Tokenizer

LOOK_FOR = (3, 2, 1)  # ids at the end of a text whose earlier place is looked up, the longest first
# The share of guesses that are kept where 1, 2 or 3 ids agree, before anything is known; how much an outcome counts
# for its text and for all, and how fast what was learned is forgotten: of a text for all, of all for the first.
FIRST_SHARES, NEWS, NEWS_FOR_ALL, TRUST, FAITH = {1: 0.2, 2: 0.4, 3: 0.6}, 0.1, 0.02, 0.01, 0.0002
# Tokens that it costs to read one more text in a pass, whose keys and values are looked at, and to choose once more.
ROW_COST, PLACE_COST = 2.0, 3.0
MOST_GUESSES = 8


@dataclass
class Tally:
    """How it went: passes of the model, tokens guessed, guesses that were kept."""

    passes: int = 0
    guessed: int = 0
    kept: int = 0

    def add(self, guessed: int, kept: int) -> None:
        """Count a pass of the model."""
        self.passes, self.guessed, self.kept = self.passes + 1, self.guessed + guessed, self.kept + kept


class Draft(Protocol):
    """Something that guesses how a text goes on."""

    def guess(self, ids: list[int], most: int, dice: torch.Generator) -> tuple[list[int], Tensor | None]:
        """Return up to `most` ids, and the distributions [n, V] that they were drawn from; None if each was certain."""
        ...


class PromptLookup:
    """Guesses that a text goes on as it did before: after the last place where its last few ids stood.

    Prompt look-up decoding (Saxena 2023); it costs little and pays where a reply repeats its prompt. It remembers the
    places of the text that it saw last, so that the same text with more to it is quick to look into.
    """

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}  # what followed these ids, where they stood last, begins here

    def guess(self, ids: list[int], most: int, dice: torch.Generator | None = None) -> tuple[list[int], Tensor | None]:
        """Return what followed; nothing where the last id is new."""
        place, _ = self.find(ids)
        return ids[place : place + most], None

    def find(self, ids: list[int]) -> tuple[int, int]:
        """Return where in a text begins what followed its last ids before, and how many ids agree; the end, and 0."""
        if ids[: len(self._ids)] != self._ids:
            self._ids, self._after = [], {}
        for end in range(max(1, len(self._ids)), len(ids)):  # not what ends the text: nothing follows yet
            for length in LOOK_FOR:
                if length <= end:
                    self._after[tuple(ids[end - length : end])] = end
        self._ids = ids.copy()
        for length in LOOK_FOR:
            place = self._after.get(tuple(ids[-length:])) if length < len(ids) else None
            if place is not None:
                return place, length
        return len(ids), 0


class Shares:
    """How many guesses of all texts were kept, by how many ids agreed; what is long ago counts less and less."""

    def __init__(self) -> None:
        self.kept = dict(FIRST_SHARES)

    def learn(self, agreed: int, guessed: int, kept: int, news: float) -> None:
        """Note how many of so many guesses were kept: each that was tried counts."""
        for outcome in [1.0] * kept + [0.0] * (kept < guessed):
            self.kept[agreed] += news * (outcome - self.kept[agreed])

    def near(self, others: "dict[int, float]", trust: float) -> None:
        """Come a little nearer to other shares."""
        for agreed, share in others.items():
            self.kept[agreed] += trust * (share - self.kept[agreed])


class Guesses:
    """The guesses of one text that is written beside others, looked up, and how likely they are kept."""

    def __init__(self, common: Shares):
        """Begin with what the other texts have taught."""
        self._lookup, self._agreed = PromptLookup(), 0
        self._common, self._own = common, Shares()
        self._own.near(common.kept, 1.0)

    def guess(self, ids: list[int]) -> tuple[list[int], float]:
        """Return up to MOST_GUESSES ids, and the chance that each is kept when those before it are."""
        self._own.near(self._common.kept, TRUST)  # what did not pay is tried again some day
        self._common.near(FIRST_SHARES, FAITH)
        place, self._agreed = self._lookup.find(ids)
        return ids[place : place + MOST_GUESSES], self._own.kept.get(self._agreed, 0.0)

    def learn(self, guessed: int, kept: int) -> None:
        """Note how many of the guesses were kept."""
        self._own.learn(self._agreed, guessed, kept, NEWS)
        self._common.learn(self._agreed, guessed, kept, NEWS_FOR_ALL)


def plan(guesses: Sequence[tuple[int, float]], fixed: float, ragged: bool = False) -> tuple[list[int], bool]:
    """Return how many guesses of each text to check in this step, and whether all texts are read in one pass.

    `guesses` holds for each text that is written how many it has, and the chance of each to be kept. The choice is the
    one that writes most tokens for the time: a pass over N texts that are L tokens longer takes about as long as
    fixed + N (ROW_COST + L) tokens, and choosing at L places L PLACE_COST. In one pass all are padded to the longest;
    in two only those with guesses. A `ragged` pass has no padding: each guess is worth what it adds.
    """
    rows, bold = len(guesses), sum(number > 0 for number, _ in guesses)
    if not bold:
        return [0] * rows, True
    base = fixed + ROW_COST * rows
    if ragged:
        written, cost, least, each = float(rows), base, 2.0, 1 + PLACE_COST / bold
        for chance in sorted((chance**n for number, chance in guesses for n in range(1, number + 1)), reverse=True):
            if chance * cost > written * each:
                written, cost, least = written + chance, cost + each, chance
        return [sum(chance**n >= least for n in range(1, number + 1)) for number, chance in guesses], True
    best, gain = (rows / base, 0, True), 0.0
    for length in range(1, max(number for number, _ in guesses) + 1):
        gain += sum(chance**length for number, chance in guesses if number >= length)
        one, two = base + rows * length, base + fixed + bold * (ROW_COST + length)
        best = max(best, ((rows + gain) / (min(one, two) + PLACE_COST * length), length, one <= two))
    return [min(number, best[1]) for number, _ in guesses], best[2]


class DraftModel:
    """Guesses what a smaller model with the same vocabulary would say, sampled in the same way."""

    def __init__(self, model: Decoder, sampling: SamplingConfig, vocab_size: int):
        """Begin with an empty cache; `vocab_size` bars ids beyond it."""
        context = model.config.context_length
        self._row = _Row(model, context)
        self._sampling, self._vocab_size, self._context = sampling, vocab_size, context

    def guess(self, ids: list[int], most: int, dice: torch.Generator) -> tuple[list[int], Tensor | None]:
        """Return ids drawn one after the other, and their distributions; nothing beyond the draft's context."""
        drawn: list[int] = []
        whole = []
        for _ in range(min(most, self._context - len(ids))):
            logits = self._row.logits([*ids, *drawn], 1)[:, : self._vocab_size]
            whole.append(distributions(logits, self._sampling, [*ids, *drawn], []))
            drawn.append(int(sample(whole[-1].log(), torch.rand(1, generator=dice, dtype=torch.float64))))
        return drawn, torch.cat(whole) if whole else None


def speculate(
    model: Decoder,
    tokenizer: Tokenizer | None,
    prompt: Prompt,
    sampling: SamplingConfig,
    draft: Draft | Decoder,
    *,
    ahead: int = 4,
    stop_ids: Sequence[int] | None = None,
    begin: bool = True,
    tally: Tally | None = None,
) -> Iterator[Event]:
    """Return the events of one prompt, as `decode.stream` does; a draft guesses up to `ahead` tokens for each pass.

    The same seed gives the same text again, but not that of plain decoding unless it is greedy. Raises BadInput for a
    bad prompt, a draft with another vocabulary, and the calculator, which does not go with guesses.
    """
    if tokenizer is None and (sampling.stop or isinstance(prompt, str)):
        raise BadInput("texts and stop strings need a tokenizer; without one give ids")
    if sampling.calculator:
        raise BadInput("the calculator does not go with speculative decoding: leave one of them out")
    size = min(tokenizer.vocab_size if tokenizer else model.config.vocab_size, model.config.vocab_size)
    if isinstance(draft, Decoder):
        if draft.config.vocab_size != model.config.vocab_size:
            raise BadInput(
                f"the draft has {draft.config.vocab_size:,} ids, the model {model.config.vocab_size:,}: "
                "a draft needs the model's own tokenizer"
            )
        draft = DraftModel(draft, sampling, size)
    ids = prompt_ids(tokenizer, prompt, begin)
    check_prompts([ids], model.config)
    stops = frozenset(default_stops(tokenizer) if stop_ids is None else stop_ids)
    writer = Writer(0, ids, tokenizer, sampling, stops)
    return _events(model, ids, sampling, draft, ahead, size, writer, tally or Tally())


def _events(
    model: Decoder,
    ids: list[int],
    sampling: SamplingConfig,
    draft: Draft,
    ahead: int,
    size: int,
    writer: Writer,
    tally: Tally,
) -> Iterator[Event]:
    context = model.config.context_length
    left = sampling.max_tokens
    if not goes_beyond_context(model.config):
        left = min(left, context - len(ids) + 1)
    row = _Row(model, len(ids) + left)
    dice = torch.Generator().manual_seed(row_seed(sampling.seed, ids, 0))
    while True:
        guesses, drawn_from = draft.guess(ids, min(ahead, left - 1), dice)
        logits = row.logits(ids + guesses, len(guesses) + 1)[:, :size]
        wanted = distributions(logits, sampling, ids, guesses)
        said = judge(guesses, drawn_from, wanted, dice)
        tally.add(len(guesses), len(said) - 1)
        numbers, tops = report(logits[: len(said)], torch.tensor(said), sampling.top_logprobs)
        for id, number, top in zip(said, numbers, tops, strict=True):
            left -= 1
            event = writer.event(Choice(0, id, number, top, left == 0))
            yield event
            if event.finish_reason is not None:
                return
        ids = ids + said


def judge(guesses: list[int], drawn_from: Tensor | None, wanted: Tensor, dice: torch.Generator) -> list[int]:
    """Return the guesses that are kept, and one token more, such that each has the wanted distribution.

    A guess x drawn from q [n, V] is kept with probability min(1, p(x) / q(x)); the first that is not gives way to a
    draw from max(0, p - q), normalised; when all are kept the next is drawn from p (Leviathan et al. 2023, algorithm
    1). `wanted` [n + 1, V] holds p; without `drawn_from` each q is certain of its guess.
    """
    uniforms = torch.rand(len(guesses) + 1, generator=dice, dtype=torch.float64)
    if drawn_from is None:  # q is 1 at x: then it comes to the same to draw from p, and keep x where it is drawn
        drawn = sample(wanted.log(), uniforms).tolist()
        return drawn[: common_prefix(guesses, drawn) + 1]
    for place, id in enumerate(guesses):
        p, q = wanted[place], drawn_from[place]
        if float(uniforms[place]) * float(q[id]) < float(p[id]):
            continue
        rest = (p - q).clamp(min=0)
        rest[id] = 0  # it was refused: p(x) < q(x)
        again = torch.rand(1, generator=dice, dtype=torch.float64)
        return [*guesses[:place], int(sample(rest.log()[None], again))]
    return [*guesses, int(sample(wanted[-1:].log(), uniforms[-1:]))]


def distributions(logits: Tensor, sampling: SamplingConfig, ids: list[int], guesses: list[int]) -> Tensor:
    """Return what the next token is drawn from after each place, [n + 1, V] in float64: greedy is a certainty.

    logits [n + 1, V] stand after the last of `ids` and after each guess.
    """
    seen = None
    if sampling.repetition_penalty != 1:
        seen = torch.zeros(logits.shape, dtype=torch.bool)
        seen[:, [id for id in ids if id < logits.shape[1]]] = True
        for place, id in enumerate(guesses, start=1):
            seen[place:, id] = True
    kept = filtered(logits.float(), sampling, seen)
    if sampling.temperature == 0:
        return torch.zeros_like(kept, dtype=torch.float64).scatter(1, kept.argmax(-1, keepdim=True), 1.0)
    return kept.double().softmax(-1)


class _Row:
    """One text in a model's cache; what it held of another continuation is overwritten."""

    def __init__(self, model: Decoder, places: int):
        weight = model.embedding.weight
        dtype = model.new_cache(1, 1).keys[0].dtype
        self._model, self._cache = model, SlotCache(model.config, places + 1, weight.device, dtype)
        self._held: list[int] = []

    @torch.inference_mode()
    def logits(self, ids: list[int], last: int) -> Tensor:
        """Return the logits [last, V] after each of the last ids, on the CPU."""
        start = min(common_prefix(self._held, ids), len(ids) - last)
        for begin in range(start, len(ids) - last, PREFILL_TOKENS):
            self._read(ids, begin, min(begin + PREFILL_TOKENS, len(ids) - last))
        logits = self._read(ids, len(ids) - last, len(ids))
        self._held = ids
        return logits.cpu()

    def _read(self, ids: list[int], start: int, end: int) -> Tensor:
        piece = torch.tensor([ids[start:end]], device=self._model.embedding.weight.device)
        self._cache.take([0], [start], [end - start], [[-1, -1, *ids[:start]][-2:]])
        return read(self._model, piece, self._cache)[0]
