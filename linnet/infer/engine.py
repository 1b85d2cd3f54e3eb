"""The serving engine: requests join and leave a running batch, a step at a time; a thin thread that runs it."""

import itertools
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from linnet.core.errors import BadInput, Failed
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import Writer, default_stops, prompt_ids
from linnet.infer.rows import Rows, check_prompts
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer

Finish = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True)
class Request:
    """A prompt, as ids or as a text that begins a document, and how to go on from it.

    `stop_ids` end the text, by default the tokenizer's end token (a chat gives `text.chat.reply_ends`). Requests with
    the same prompt and seed say the same: `copy` numbers those that shall differ. Without `logprobs` the events have
    none, which is a little faster.
    """

    prompt: tuple[int, ...] | str
    sampling: SamplingConfig
    stop_ids: tuple[int, ...] | None = None
    copy: int = 0
    logprobs: bool = True


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
    """What an engine does now (`active` of `slots`, `waiting`, bytes of the cache) and has done since it was made."""

    active: int
    waiting: int
    slots: int
    cache_bytes: int
    tokens_made: int
    prompt_tokens_read: int
    prefix_tokens_reused: int


class Engine:
    """Many requests at once on one model; `submit`, then `step` while `busy`.

    `submit` and `cancel` may be called from any thread, `step` from one at a time. What a request says depends on the
    weights, its prompt, its sampling and its `copy`, not on what runs beside it (up to rounding).
    """

    def __init__(
        self,
        model: Decoder,
        tokenizer: Tokenizer | None,
        slots: int = 32,
        cache_bytes: int | None = None,
        prefill_tokens: int = 256,
    ):
        """Serve up to `slots` requests at once from a cache of at most `cache_bytes`.

        A step reads at most `prefill_tokens` of new prompts beside the next token of all others.
        """
        self.model, self.tokenizer, self.slots = model, tokenizer, slots
        self._numbers = itertools.count(1)
        self._inbox: deque[tuple[int, list[int], Request]] = deque()  # filled by other threads
        self._waiting: deque[tuple[int, list[int], Request]] = deque()
        self._active: dict[int, tuple[Rows, Writer]] = {}
        self._cancelled: deque[int] = deque()
        self._made = self._read = 0

    def submit(self, request: Request) -> int:
        """Put a request in the queue and return its number.

        Raises BadInput for what can never run: a prompt that is empty, too long or foreign, more than the cache holds.
        """
        texts = isinstance(request.prompt, str) or request.sampling.stop or request.sampling.calculator
        if self.tokenizer is None and texts:
            raise BadInput("texts, stop strings and the calculator need a tokenizer; without one give ids")
        ids = prompt_ids(self.tokenizer, request.prompt)
        check_prompts([ids], self.model.config)
        number = next(self._numbers)
        self._inbox.append((number, ids, request))
        return number

    def cancel(self, number: int) -> None:
        """End a request at the next step, which frees its slot; nothing happens if it has ended."""
        self._cancelled.append(number)

    @property
    def busy(self) -> bool:
        """Say whether a request runs or waits."""
        return bool(self._inbox or self._waiting or self._active)

    def stats(self) -> EngineStats:
        """Return the numbers of now."""
        return EngineStats(
            len(self._active), len(self._inbox) + len(self._waiting), self.slots, 0, self._made, self._read, 0
        )

    def step(self) -> list[Event]:
        """Let every running request have its next token; return what happened, in the order of the requests."""
        events = []
        gone = {self._cancelled.popleft() for _ in range(len(self._cancelled))}
        self._waiting.extend(self._inbox.popleft() for _ in range(len(self._inbox)))
        for number in sorted(gone & {*self._active, *(waiting[0] for waiting in self._waiting)}):
            self._active.pop(number, None)
            events.append(Event(number, None, "", None, (), "cancelled"))
        self._waiting = deque(waiting for waiting in self._waiting if waiting[0] not in gone)
        while self._waiting and len(self._active) < self.slots:
            number, ids, request = self._waiting.popleft()
            size = None if self.tokenizer is None else self.tokenizer.vocab_size
            stops = default_stops(self.tokenizer) if request.stop_ids is None else request.stop_ids
            rows = Rows(self.model, [ids], request.sampling, [request.copy], size)
            writer = Writer(number, ids, self.tokenizer, request.sampling, frozenset(stops))
            self._active[number] = (rows, writer)
            self._read += len(ids)
        for number, (rows, writer) in list(self._active.items()):
            (choice,) = rows.choose({} if writer.next is None else {0: writer.next})
            said = writer.event(choice)
            self._made += 1
            events.append(Event(number, said.id, said.text, said.logprob, said.top, said.finish_reason, said.given))
            if not rows.advance({0} if said.finish_reason else set()):
                del self._active[number]
        return events


class EngineThread:
    """Runs an engine in a thread of its own and hands each event to its request's listener.

    A listener is called from the engine's thread and should return at once: in asyncio
    `lambda event: loop.call_soon_threadsafe(queue.put_nowait, event)`. One that raises loses its request.
    """

    def __init__(self, engine: Engine):
        self.engine = engine
        self._listeners: dict[int, Callable[[Event], None]] = {}
        self._changed = threading.Condition()
        self._open, self._ending = False, False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to run; requests are taken from now on."""
        self._open = True
        self._thread.start()

    def submit(self, request: Request, listener: Callable[[Event], None]) -> int:
        """Put a request in the queue and return its number; the listener hears all its events, the last has a finish.

        Raises BadInput as `Engine.submit` does, Failed when the engine is not started, drains or has failed.
        """
        with self._changed:
            if not self._open:
                raise Failed("the engine takes no requests: it is not started, or is stopping")
            number = self.engine.submit(request)
            self._listeners[number] = listener
            self._changed.notify_all()
        return number

    def cancel(self, number: int) -> None:
        """End a request at the next step; its listener hears "cancelled", unless it has ended before."""
        with self._changed:
            if number in self._listeners:
                self.engine.cancel(number)
                self._changed.notify_all()

    def drain(self, timeout: float) -> bool:
        """Take no more requests and wait, at most `timeout` seconds, for those that run; say whether all ended."""
        with self._changed:
            self._open = False
            return self._changed.wait_for(lambda: not self._listeners, timeout)

    def stop(self) -> None:
        """Cancel what still runs and end the thread; raises Failed when the engine had failed."""
        with self._changed:
            self._open, self._ending = False, True
            for number in self._listeners:
                self.engine.cancel(number)
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        if self._failure is not None:
            raise Failed(f"the engine failed: {self._failure}") from self._failure

    def _run(self) -> None:
        try:
            while self._wait():
                for event in self.engine.step():
                    self._tell(event)
        except Exception as failure:  # whatever it is: nobody may wait for ever
            with self._changed:
                self._open, self._failure = False, failure
            for number in list(self._listeners):
                self._tell(Event(number, None, "", None, (), "cancelled"))

    def _wait(self) -> bool:
        """Sleep until there is work; False when there is none and will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self.engine.busy or self._ending)
            return self.engine.busy

    def _tell(self, event: Event) -> None:
        with self._changed:
            listener = self._listeners.get(event.request)
        if listener is None:
            return
        try:
            listener(event)
        except Exception:
            self.engine.cancel(event.request)
            event = replace(event, finish="cancelled")
        if event.finish is not None:
            with self._changed:
                self._listeners.pop(event.request, None)
                self._changed.notify_all()
