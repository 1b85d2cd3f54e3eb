"""Texts from a model: many prompts at once, token by token as events or whole as completions; stop ids and strings.

A row's text depends on the weights, the seed, its own prompt and which copy of that prompt it is, not on the rows
beside it (up to rounding: a matrix product of another shape may round a logit otherwise).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from linnet.core.errors import BadInput
from linnet.infer.calculator import CalculatorCalls
from linnet.infer.config import SamplingConfig
from linnet.infer.rows import Choice, Rows, check_prompts, count_copies
from linnet.infer.stopping import StopScanner
from linnet.model.decoder import Decoder
from linnet.text.streaming import StreamDecoder
from linnet.text.tokenizer import Tokenizer

Prompt = str | Sequence[int]
Finish = Literal["stop", "length"]
Top = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Event:
    """A token of one row: its id, the text that is now certain (often ""), ln p, and why the row ends if it does.

    `row` is the number of the prompt; `top` holds (id, logprob) of the likeliest tokens where they were asked for;
    `given` is true for a token that the calculator put in: its logprob is 0.
    """

    row: int
    id: int
    text: str
    logprob: float
    finish_reason: Finish | None = None
    top: Top = ()
    given: bool = False


@dataclass(frozen=True)
class Completion:
    """What a model wrote after one prompt.

    `ids` are all tokens chosen, a stop id included; `logprobs` their ln p under the model, before any filter.
    `text` ends before the stop. `finish_reason` is "stop" (a stop id or string) or "length" (budget or context).
    `given` are the places in `ids` of tokens that are not the model's but the calculator's; their logprob is 0.
    """

    text: str
    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: Finish
    top: tuple[Top, ...] = ()
    given: tuple[int, ...] = ()


def generate(
    model: Decoder,
    tokenizer: Tokenizer | None,
    prompts: Sequence[Prompt],
    sampling: SamplingConfig,
    *,
    stop_ids: Sequence[int] | None = None,
    begin: bool = True,
    batch_size: int = 64,
) -> list[Completion]:
    """Return a completion for each prompt, in order; arguments and errors are those of `stream`."""
    events = stream(model, tokenizer, prompts, sampling, stop_ids=stop_ids, begin=begin, batch_size=batch_size)
    return list(completions(events))


def completions(events: Iterable[Event]) -> Iterator[Completion]:
    """Yield the completions of a stream in the order of the prompts, each as soon as it and those before are whole."""
    rows: dict[int, list[Event]] = {}
    whole: dict[int, Completion] = {}
    following = 0
    for event in events:
        rows.setdefault(event.row, []).append(event)
        if event.finish_reason is not None:
            whole[event.row] = _completion(rows.pop(event.row))
        while following in whole:
            yield whole.pop(following)
            following += 1


def stream(
    model: Decoder,
    tokenizer: Tokenizer | None,
    prompts: Sequence[Prompt],
    sampling: SamplingConfig,
    *,
    stop_ids: Sequence[int] | None = None,
    begin: bool = True,
    batch_size: int = 64,
) -> Iterator[Event]:
    """Return an iterator of events, one for each token as it is chosen, at most `batch_size` rows at once.

    A prompt is a text, which `begin` lets begin a document (after the token that stands before one), or ids, taken
    as they are. `stop_ids` are the tokens that end a row, by default the tokenizer's end token. Without a tokenizer
    all is in ids and the texts are empty. Raises BadInput for a prompt that is empty, too long or foreign.
    """
    if tokenizer is None and (sampling.stop or sampling.calculator or any(isinstance(p, str) for p in prompts)):
        raise BadInput("texts, stop strings and the calculator need a tokenizer; without one give ids")
    rows = [prompt_ids(tokenizer, prompt, begin) for prompt in prompts]
    check_prompts(rows, model.config)
    stops = frozenset(default_stops(tokenizer) if stop_ids is None else stop_ids)
    return _events(model, tokenizer, rows, sampling, stops, batch_size)  # what is wrong with a prompt is said at once


def _events(
    model: Decoder,
    tokenizer: Tokenizer | None,
    rows: list[list[int]],
    sampling: SamplingConfig,
    stops: frozenset[int],
    batch_size: int,
) -> Iterator[Event]:
    copies = count_copies(rows)
    for first in range(0, len(rows), batch_size):
        part = slice(first, first + batch_size)
        batch = Rows(model, rows[part], sampling, copies[part], tokenizer.vocab_size if tokenizer else None)
        writers = [Writer(first + place, prompt, tokenizer, sampling, stops) for place, prompt in enumerate(rows[part])]
        going = True
        while going:
            finished = set()
            given = {row: id for row, writer in enumerate(writers) if (id := writer.next) is not None}
            for choice in batch.choose(given):
                event = writers[choice.row].event(choice)
                if event.finish_reason is not None:
                    finished.add(choice.row)
                yield event
            going = batch.advance(finished)


def prompt_ids(tokenizer: Tokenizer | None, prompt: Prompt, begin: bool = True) -> list[int]:
    """Return the ids of a prompt; a text begins a document if asked, an empty one always does."""
    if not isinstance(prompt, str):
        return list(prompt)
    assert tokenizer is not None
    start = [start_id(tokenizer)] if begin or not prompt else []
    return start + tokenizer.encode(prompt)


def start_id(tokenizer: Tokenizer) -> int:
    """Return the id a document begins after: a begin token of other families, else the end of the one before."""
    begins = [name for name in ("<s>", "<|begin_of_text|>", "<bos>") if name in tokenizer.specials]
    return tokenizer.special(begins[0]) if begins else tokenizer.end_id


def default_stops(tokenizer: Tokenizer | None) -> list[int]:
    """Return the ids that end a text where nothing else is said: the tokenizer's end token, if it has one."""
    return [] if tokenizer is None or tokenizer.metadata.end is None else [tokenizer.end_id]


class Writer:
    """The text of one row as it grows: bytes to characters, stop strings, why it ends."""

    def __init__(
        self,
        row: int,
        prompt: Sequence[int],
        tokenizer: Tokenizer | None,
        sampling: SamplingConfig,
        stop_ids: frozenset[int],
    ):
        """Begin the text after a prompt; `row` is the number that its events carry."""
        self.row, self.stop_ids = row, stop_ids
        self._scanner = StopScanner(sampling.stop)
        self._calls = CalculatorCalls(tokenizer) if tokenizer is not None and sampling.calculator else None
        self._decoder: StreamDecoder | None = None
        if tokenizer is not None:
            # SentencePiece drops a space where a text starts: here, unless the prompt already holds some of it.
            self._decoder = tokenizer.stream(start=not tokenizer.decode(prompt))

    @property
    def next(self) -> int | None:
        """Return the token that must come next, None where the model chooses."""
        return None if self._calls is None else self._calls.forced

    @property
    def coming(self) -> list[int]:
        """Return all tokens that must come next, as far as they are known."""
        return [] if self._calls is None else self._calls.coming

    def event(self, choice: Choice) -> Event:
        """Return the event of the row's next token."""
        if self._calls is not None:
            self._calls.see(choice.id)
        ends = choice.id in self.stop_ids
        text = "" if self._decoder is None or ends else self._scanner.push(self._decoder.push(choice.id))
        reason: Finish | None = "stop" if ends or self._scanner.stopped else "length" if choice.last else None
        if reason is not None and self._decoder is not None and not self._scanner.stopped:
            text += self._scanner.push(self._decoder.flush())
            # The last bytes may have completed a stop string (one that holds U+FFFD).
            text += "" if self._scanner.stopped else self._scanner.flush()
        return Event(self.row, choice.id, text, choice.logprob, reason, choice.top, choice.given)


def _completion(events: list[Event]) -> Completion:
    reason = events[-1].finish_reason
    assert reason is not None
    return Completion(
        text="".join(event.text for event in events),
        ids=tuple(event.id for event in events),
        logprobs=tuple(event.logprob for event in events),
        finish_reason=reason,
        top=tuple(event.top for event in events) if events[0].top else (),
        given=tuple(place for place, event in enumerate(events) if event.given),
    )
