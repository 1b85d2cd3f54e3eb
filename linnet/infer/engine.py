"""The serving engine: requests join and leave a running batch, a step at a time."""

import itertools
from collections import deque
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from linnet.adapt.lora import adapters as adapters_of
from linnet.adapt.lora import switch_rows
from linnet.core.errors import BadInput
from linnet.infer.decode import prompt_ids
from linnet.infer.native_step import NativeStep, why_not
from linnet.infer.requests import EngineStats, Event, Request
from linnet.infer.rows import check_prompts, goes_beyond_context, read
from linnet.infer.running import Running, choose
from linnet.infer.slots import Slot, Slots
from linnet.infer.speculative import MOST_GUESSES, Shares, plan
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer

# A pass costs what about so many tokens more cost (`pass_cost`): much of it is overhead, little of a compiled one.
PASS_COST, PASS_COST_COMPILED, PASS_COST_ELSEWHERE = 32, 8, 256


class Engine:
    """Many requests at once on one model; `submit`, then `step` while `busy`.

    `submit` and `cancel` may be called from any thread, `step` from one at a time. What a request says depends on the
    weights, its prompt, its sampling and its `copy`, not on what runs beside it: up to rounding, and but for mixtures
    whose experts have a limited capacity.
    """

    def __init__(
        self,
        model: Decoder,
        tokenizer: Tokenizer | None,
        slots: int = 32,
        cache_bytes: int | None = None,
        prefill_tokens: int = 256,
        adapters: Sequence[str] = (),
        compiled: bool = False,
    ):
        """Serve up to `slots` requests at once from a cache of at most `cache_bytes` (taken at once).

        By default the cache holds all slots at the model's full context, within 1 GiB or one whole context. A step
        reads at most `prefill_tokens` of new prompts beside the next token of all others. With `adapters`, which are
        all that the network has, each request chooses one or none: the network is then this engine's alone. Raises
        BadInput for numbers below 1, a cache too small for any token, and adapters that rows cannot choose.

        `compiled` lets a pass that the user's C compiler builds read in the network's place, several times as fast on
        a CPU; what it does not know the network reads itself, and `stats` says why. Raises BadInput where there is no
        compiler.
        """
        if slots < 1 or prefill_tokens < 1:
            raise BadInput(f"slots {slots} and prefill_tokens {prefill_tokens} must be 1 or more")
        self.model, self.tokenizer, self.prefill_tokens = model, tokenizer, prefill_tokens
        self.slots = Slots(model, slots, cache_bytes)
        self.adapters = tuple(adapters)
        if adapters:
            _check_adapters(model, self.adapters)
        self.why_plain = why_not(model, self.slots.cache) if compiled else "not asked for"
        self._compiled = None if self.why_plain else NativeStep(model, self.slots.cache)
        self._switched: list[str | None] = []
        self.vocab_size = min(tokenizer.vocab_size if tokenizer else model.config.vocab_size, model.config.vocab_size)
        self._numbers = itertools.count(1)
        self._inbox: deque[tuple[int, list[int], Request]] = deque()  # filled by other threads
        self._cancelled: deque[int] = deque()
        self._waiting: deque[tuple[int, list[int], Request]] = deque()
        self.running: list[Running] = []  # in the order in which they came
        self._made = self._read = self._reused = self._guessed = self._kept = 0
        device = model.embedding.weight.device
        self._shares = Shares()
        here = PASS_COST if self._compiled is None else PASS_COST_COMPILED
        self.pass_cost = here if device.type == "cpu" else PASS_COST_ELSEWHERE
        self._logits_on = torch.device("cpu") if device.type == "mps" else device  # it has no float64, as draws need

    def submit(self, request: Request) -> int:
        """Put a request in the queue and return its number.

        Raises BadInput for what can never run: a prompt that is empty, too long or foreign, more than the cache holds,
        an adapter that is not there.
        """
        if request.adapter is not None and request.adapter not in self.adapters:
            known = ", ".join(self.adapters) or "none"
            raise BadInput(f"no adapter {request.adapter} is there, only {known}")
        texts = isinstance(request.prompt, str) or request.sampling.stop or request.sampling.calculator
        if self.tokenizer is None and texts:
            raise BadInput("texts, stop strings and the calculator need a tokenizer; without one give ids")
        prompt = prompt_ids(self.tokenizer, request.prompt)
        check_prompts([prompt], self.model.config)
        self.slots.check(self._need(prompt, request))
        number = next(self._numbers)
        self._inbox.append((number, prompt, request))
        return number

    def cancel(self, number: int) -> None:
        """End a request at the next step, which frees its slot; nothing happens if it has ended."""
        self._cancelled.append(number)

    @property
    def busy(self) -> bool:
        """Say whether a request runs or waits."""
        return bool(self._inbox or self._waiting or self.running)

    def stats(self) -> EngineStats:
        """Return the numbers of now."""
        return EngineStats(
            active=len(self.running),
            waiting=len(self._inbox) + len(self._waiting),
            slots=self.slots.most,
            cache_bytes=self.slots.cache.bytes,
            tokens_made=self._made,
            prompt_tokens_read=self._read,
            prefix_tokens_reused=self._reused,
            tokens_guessed=self._guessed,
            guesses_kept=self._kept,
            compiled=self._compiled is not None,
            why_plain=self.why_plain,
        )

    @torch.inference_mode()
    def step(self) -> list[Event]:
        """Let who writes have its next token and who waits read on; return what happened.

        A request that is cancelled ends first; one whose prompt is read whole in this step has its first token in it.
        """
        gone = {self._cancelled.popleft() for _ in range(len(self._cancelled))}  # first: who cancels has submitted
        self._waiting.extend(self._inbox.popleft() for _ in range(len(self._inbox)))
        events = self._drop(gone) if gone else []
        self._let_in()
        speaking, logits, checked = self._write()
        read, more = self._read_prompts()
        if speaking or read:
            parts = [*logits, *more]
            events += self._say(speaking + read, torch.cat(parts) if len(parts) > 1 else parts[0], checked)
        return events

    def _drop(self, gone: set[int]) -> list[Event]:
        """End the cancelled ones among those who run or wait."""
        known = {one.number for one in self.running} | {number for number, _, _ in self._waiting}
        for one in [one for one in self.running if one.number in gone]:
            self._leave(one)
        self._waiting = deque(waiting for waiting in self._waiting if waiting[0] not in gone)
        return [Event(number, None, "", None, (), "cancelled") for number in sorted(gone & known)]

    def _leave(self, one: Running) -> None:
        self.slots.leave(one.slot)
        self.running.remove(one)

    def _budget(self, prompt: list[int], request: Request) -> int:
        """Return how many tokens may follow a prompt: the last need not be read, so it may lie beyond the context."""
        most = request.sampling.max_tokens
        return most if goes_beyond_context(self.model.config) else min(most, self._context - len(prompt) + 1)

    def _need(self, prompt: list[int], request: Request) -> int:
        return len(prompt) + self._budget(prompt, request) - 1

    @property
    def _context(self) -> int:
        return self.model.config.context_length

    def _let_in(self) -> None:
        """Give slots to those who wait, in order; beside others who read only where a piece is all there is to read."""
        readers = sum(one.unread > 0 for one in self.running)
        while self._waiting:
            number, prompt, request = self._waiting[0]
            share = self.prefill_tokens // (readers + 1) if readers else None
            slot = self.slots.join(prompt, self._need(prompt, request), share, request.adapter)
            if slot is None:
                return
            self._waiting.popleft()
            budget = self._budget(prompt, request)
            self.running.append(
                Running(number, request, prompt, slot, budget, self.tokenizer, self._logits_on, self._shares)
            )
            self._reused += len(slot.held)
            readers += 1

    def _write(self) -> tuple[list[Running], list[Tensor], dict[int, Tensor]]:
        """Let the model read the newest token of all who write, and their guesses.

        Return who writes, the logits [N, V] after their newest tokens, and by number those [1 + n, V] of who has
        guessed n tokens: after the newest and after each guess.
        """
        if all(one.unread for one in self.running):
            return [], [], {}
        rows = self.slots.span()  # others may stand between: they read nothing
        writers = sorted((one for one in self.running if not one.unread), key=lambda one: one.slot.row)
        bold, plain = self._guess(writers)
        parts, checked = [], dict[int, Tensor]()
        if plain:
            parts.append(self._read_rows(rows, {one.slot: [one.pending] for one in plain}))
        if bold:
            tokens = {one.slot: [one.pending, *one.guessed] for one in bold}
            after = self._read_rows(list(tokens) if plain else rows, tokens, every=True)
            parts.append(after[:, 0])
            checked = {one.number: after[place] for place, one in enumerate(bold) if one.guessed}
        for one in writers:
            one.slot.held.append(one.pending)
        return plain + bold, parts, checked

    def _guess(self, writers: list[Running]) -> tuple[list[Running], list[Running]]:
        """Let those who ask for it guess; return who is read with guesses, and who in a pass of their own before."""
        room = MOST_GUESSES
        if self.model.config.positions == "learned":  # padding must not run beyond the table
            room = self._context - max(len(one.slot.held) for one in writers) - 1
        guesses = [one.guess(room) for one in writers]
        lengths, together = plan(guesses, self.pass_cost, ragged=self._compiled is not None)
        for one, length in zip(writers, lengths, strict=True):
            one.guessed = one.guessed[:length]
        bold = [one for one in writers if one.guessed]
        return (writers, []) if bold and together else (bold, [one for one in writers if not one.guessed])

    def _read_prompts(self) -> tuple[list[Running], list[Tensor]]:
        """Let those who read have equal pieces of their prompts; return who has come to the end, and the logits."""
        readers = [one for one in self.running if one.unread]
        if not readers:
            return [], []
        piece = max(1, min(self.prefill_tokens // len(readers), max(one.unread for one in readers)))
        if self.model.config.positions == "learned":  # padding must not run beyond the table
            piece = min(piece, self._context - max(len(one.slot.held) for one in readers))
        parts = {one.slot: one.prompt[len(one.slot.held) :][:piece] for one in readers}
        logits = self._read_rows(list(parts), parts)
        for slot, part in parts.items():
            slot.held.extend(part)
        self._read += sum(map(len, parts.values()))
        done = [place for place, one in enumerate(readers) if not one.unread]
        return [readers[place] for place in done], [logits[done]] if done else []

    def _read_rows(self, slots: Sequence[Slot], tokens: Mapping[Slot, list[int]], every: bool = False) -> Tensor:
        """Let the model read tokens of slots, none of some; return the logits of who reads, in order.

        [N, V] after the last token of each, or [N, T, V] after `every` one.
        """
        counts = [len(tokens.get(slot, ())) for slot in slots]
        longest = max(counts)
        ids = [[*tokens.get(slot, ()), *[0] * (longest - count)] for slot, count in zip(slots, counts, strict=True)]
        self._take(slots, counts)
        logits = self._logits(ids, counts, every)
        return logits if all(counts) else logits[[place for place, count in enumerate(counts) if count]]

    def _take(self, slots: Sequence[Slot], counts: Sequence[int]) -> None:
        """Say to cache and adapters which slots read next, and how many tokens each."""
        self.slots.take(slots, counts)
        if self.adapters:
            rows = [slot.adapter if count else None for slot, count in zip(slots, counts, strict=True)]
            if rows != self._switched:
                switch_rows(self.model, rows)
                self._switched = rows

    def _say(self, speaking: list[Running], logits: Tensor, checked: Mapping[int, Tensor]) -> list[Event]:
        """Let each choose its token from logits [N, V], and on from `checked` as long as it says what it guessed.

        Return the events, and free the slots of who has ended.
        """
        said = latest = list(zip(speaking, choose(speaking, self._for_choice(logits)), strict=True))
        for place in itertools.count():
            going = []
            for one, event in latest:
                agrees = one.guessed[place : place + 1] == [event.id]
                if agrees and event.finish is None:
                    going.append(one)
                elif one.guessed:
                    self._guessed, self._kept = self._guessed + len(one.guessed), self._kept + place + agrees
                    one.keep(place + agrees)
            if not going:
                break
            after = torch.stack([checked[one.number][place + 1] for one in going])
            latest = list(zip(going, choose(going, self._for_choice(after)), strict=True))
            said = said + latest
        self._made += len(said)
        for one, event in said:
            if event.finish is not None:
                self._leave(one)
        return [event for _, event in said]

    def _for_choice(self, logits: Tensor) -> Tensor:
        return logits.to(self._logits_on)[:, : self.vocab_size]

    def _logits(self, ids: list[list[int]], counts: list[int], every: bool) -> Tensor:
        """Return the logits [N, V] after the last real token of each row of ids [N, T], or [N, T, V] after all."""
        if self._compiled is not None:
            return self._compiled.read(ids, counts, every)
        device = self.model.embedding.weight.device
        whole = all(count == len(ids[0]) for count in counts)
        lengths = None if whole else torch.tensor(counts, device=device)
        if every:
            return read(self.model, torch.tensor(ids, device=device), self.slots.cache, lengths)
        after = torch.tensor(counts, device=device).clamp(min=1) - 1
        return read(self.model, torch.tensor(ids, device=device), self.slots.cache, lengths, after)[:, 0]


def _check_adapters(model: Decoder, names: Sequence[str]) -> None:
    """Raise BadInput where the network has others than these, or layers in which rows cannot choose."""
    if set(names) != set(adapters_of(model)):
        there = ", ".join(adapters_of(model)) or "none"
        raise BadInput(f"requests choose among adapters {', '.join(names)}, and the network has {there}")
    switch_rows(model, [None])
