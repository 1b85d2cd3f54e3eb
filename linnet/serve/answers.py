"""Replies in OpenAI's shape: whole ones, and the chunks of streamed ones, for chats and for plain completions."""

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from linnet.infer.requests import Event
from linnet.serve.asking import Asked
from linnet.serve.hosting import Host

LEAST = -9999.0  # what stands for ln 0, which JSON has not


@dataclass
class Choice:
    """A choice as it grows: its text, OpenAI's entries of its tokens, and why it has ended."""

    text: str = ""
    entries: list[dict[str, Any]] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    finish: str | None = None


class Answer:
    """What all answers share: `add` takes an event; `chunks` of it are for a stream, `whole` is the end result."""

    kind, piece_kind, prefix = "", "", ""

    def __init__(self, host: Host, asked: Asked, usage_wanted: bool = False):
        self.host, self.asked, self.usage_wanted = host, asked, usage_wanted
        self.choices = [Choice() for _ in asked.requests]
        self.tokens = 0
        self._head = {"id": f"{self.prefix}-{secrets.token_hex(12)}", "created": int(time.time()), "model": host.name}
        self._wanted = asked.requests[0].logprobs
        stops = asked.requests[0].stop_ids
        ends = () if host.tokenizer.metadata.end is None else (host.tokenizer.end_id,)
        self._stops = frozenset(ends if stops is None else stops)

    def add(self, number: int, event: Event) -> list[dict[str, Any]]:
        """Take an event of a choice; return the entries of its tokens where they are wanted."""
        choice = self.choices[number]
        entries = []
        self.tokens += event.id is not None
        # The token that ends a reply is no part of its text.
        if self._wanted and event.id is not None and event.id not in self._stops:
            entries = [self._entry(event)]
            choice.offsets.append(len(choice.text))
        choice.text += event.text
        choice.entries += entries
        choice.finish = event.finish or choice.finish
        return entries

    def chunks(self, heard: Sequence[tuple[int, Event]]) -> Iterator[dict[str, Any]]:
        """Take (choice, event) and yield the chunks that tell of them: what a choice said meanwhile stands in one."""
        for number in dict.fromkeys(number for number, _ in heard):
            choice = self.choices[number]
            begun, told = len(choice.text), len(choice.entries)
            for other, event in heard:
                if other == number:
                    self.add(number, event)
            text, entries = choice.text[begun:], choice.entries[told:]
            if text or entries:
                yield self._chunk([self._piece(number, text, entries, choice.offsets[told:])])
            if choice.finish is not None:
                yield {**self._chunk([self._piece(number, "", [], [], choice.finish)]), **ours(self._at_end())}

    def opening(self) -> Iterator[dict[str, Any]]:
        """Yield the chunks that come before any text."""
        yield from ()

    def closing(self) -> Iterator[dict[str, Any]]:
        """Yield the chunk of usage, where it was asked for."""
        if self.usage_wanted:
            yield {**self._chunk([]), "usage": self.usage()}

    def whole(self) -> dict[str, Any]:
        """Return the whole answer."""
        found = [self._choice(number, choice) for number, choice in enumerate(self.choices)]
        about = ours({**self._about(), **self._at_end()})
        return {"object": self.kind, **self._head, "choices": found, "usage": self.usage(), **about}

    def usage(self) -> dict[str, int]:
        """Return the tokens read (each prompt once) and written, the calculator's included."""
        read = sum(map(len, self.asked.prompts))
        return {"prompt_tokens": read, "completion_tokens": self.tokens, "total_tokens": read + self.tokens}

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        usage = {"usage": None} if self.usage_wanted else {}
        return {"object": self.piece_kind, **self._head, "choices": choices, **usage}

    def _about(self) -> dict[str, Any]:
        """Return what is told with the first words, and OpenAI's shape has no place for."""
        return {"dropped_messages": self.asked.dropped} if self.asked.dropped else {}

    def _at_end(self) -> dict[str, Any]:
        """Return what is told of it when a reply has ended."""
        return {}

    def _entry(self, event: Event) -> dict[str, Any]:
        assert event.id is not None
        entry = {**self._token(event.id, event.logprob or 0.0), "top_logprobs": []}
        entry["top_logprobs"] = [self._token(id, logprob) for id, logprob in event.top]
        return {**entry, "given": True} if event.given else entry

    def _token(self, id: int, logprob: float) -> dict[str, Any]:
        text = self.host.tokenizer.decode([id], specials=True)
        data = self.host.tokenizer.token_bytes(id) or text.encode()
        return {"token": text, "logprob": max(LEAST, logprob), "bytes": list(data)}

    def _piece(
        self, number: int, text: str, entries: list[dict[str, Any]], offsets: list[int], finish: str | None = None
    ) -> dict[str, Any]:
        raise NotImplementedError

    def _choice(self, number: int, choice: Choice) -> dict[str, Any]:
        raise NotImplementedError


class ChatAnswer(Answer):
    """Replies of /v1/chat/completions."""

    kind, piece_kind, prefix = "chat.completion", "chat.completion.chunk", "chatcmpl"

    def opening(self) -> Iterator[dict[str, Any]]:
        """Yield a chunk that names the role, for each choice."""
        for number in range(len(self.choices)):
            delta = {"role": "assistant", "content": ""}
            piece = {"index": number, "delta": delta, "logprobs": None, "finish_reason": None}
            yield {**self._chunk([piece]), **ours(self._about())}

    def _piece(
        self, number: int, text: str, entries: list[dict[str, Any]], offsets: list[int], finish: str | None = None
    ) -> dict[str, Any]:
        delta = {} if finish else {"content": text}
        told = {"content": entries, "refusal": None} if entries else None
        return {"index": number, "delta": delta, "logprobs": told, "finish_reason": finish}

    def _choice(self, number: int, choice: Choice) -> dict[str, Any]:
        told = {"content": choice.entries, "refusal": None} if self._wanted else None
        message = {"role": "assistant", "content": choice.text, "refusal": None}
        return {"index": number, "message": message, "logprobs": told, "finish_reason": choice.finish}


class CompletionAnswer(Answer):
    """Replies of /v1/completions."""

    kind, piece_kind, prefix = "text_completion", "text_completion", "cmpl"

    def _piece(
        self, number: int, text: str, entries: list[dict[str, Any]], offsets: list[int], finish: str | None = None
    ) -> dict[str, Any]:
        told = listed(entries, offsets) if entries else None
        return {"index": number, "text": text, "logprobs": told, "finish_reason": finish}

    def _choice(self, number: int, choice: Choice) -> dict[str, Any]:
        told = listed(choice.entries, choice.offsets) if self._wanted else None
        return {"index": number, "text": choice.text, "logprobs": told, "finish_reason": choice.finish}


def ours(told: dict[str, Any]) -> dict[str, Any]:
    """Return what is not OpenAI's under a name of its own, where there is anything."""
    return {"linnet": told} if told else {}


def listed(entries: list[dict[str, Any]], offsets: list[int]) -> dict[str, Any]:
    """Return tokens in the older form of plain completions: a list for each property."""
    return {
        "tokens": [entry["token"] for entry in entries],
        "token_logprobs": [entry["logprob"] for entry in entries],
        "top_logprobs": [{top["token"]: top["logprob"] for top in entry["top_logprobs"]} for entry in entries],
        "text_offset": offsets,
    }
