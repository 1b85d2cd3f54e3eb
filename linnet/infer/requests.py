"""What goes into the serving engine and what comes out: requests, events, and the numbers of what it does."""

from dataclasses import dataclass
from typing import Literal

from linnet.infer.config import SamplingConfig

Finish = Literal["stop", "length", "cancelled"]
Speculative = Literal["lookup"]


@dataclass(frozen=True)
class Request:
    """A prompt, as ids or as a text that begins a document, and how to go on from it.

    `stop_ids` end the text, by default the tokenizer's end token (a chat gives `text.chat.reply_ends`). Requests with
    the same prompt and seed say the same: `copy` numbers those that shall differ. Without `logprobs` the events have
    none, which is a little faster. `adapter` is one of those that the engine was opened with; none is the model alone.
    `speculative` lets guesses that are looked up in prompt and text be checked several at a time: the text stays what
    it is, up to rounding, and comes sooner where it repeats.
    """

    prompt: tuple[int, ...] | str
    sampling: SamplingConfig
    stop_ids: tuple[int, ...] | None = None
    copy: int = 0
    logprobs: bool = True
    adapter: str | None = None
    speculative: Speculative | None = None


@dataclass(frozen=True)
class Event:
    """A token of one request: its id, the text that is now certain (often ""), ln p, and why the request ends if so.

    `id` and `logprob` are None in an event that only ends a request ("cancelled"). `logprob` is the model's own,
    before any filter; `top` holds (id, ln p) of the likeliest where they were asked for; `given` marks a token that
    the calculator put in. The last event of a request, and no other, has a `finish`.
    """

    request: int
    id: int | None
    text: str
    logprob: float | None
    top: tuple[tuple[int, float], ...]
    finish: Finish | None
    given: bool = False


@dataclass(frozen=True)
class EngineStats:
    """What an engine does now (`active` of `slots`, `waiting`, bytes of the cache) and has done since it was made.

    `compiled` says whether the compiled pass reads for the network, `why_plain` why it does not.
    """

    active: int
    waiting: int
    slots: int
    cache_bytes: int
    tokens_made: int
    prompt_tokens_read: int
    prefix_tokens_reused: int
    tokens_guessed: int
    guesses_kept: int
    compiled: bool
    why_plain: str
