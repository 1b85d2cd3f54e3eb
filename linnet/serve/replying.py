"""The HTTP side of a reply: whole or as server-sent events; it ends when the client leaves or the time is up."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from itertools import chain
from typing import Any, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from linnet.infer.requests import Event
from linnet.serve.answers import Answer
from linnet.serve.refusals import Refused, as_json
from linnet.serve.service import Service

GRACE = 2.0  # seconds beyond a request's time for its last bytes to be taken
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # proxies shall not wait for more
]
AS_JSON = json.JSONEncoder(separators=(",", ":")).encode
DONE = b"data: [DONE]\n\n"


class Work(Protocol):
    """What a reply is made from: a job of the engine, or one that makes more of it."""

    deadline: float

    @property
    def waited(self) -> float:
        """Seconds since the request."""
        ...

    def events(self) -> AsyncIterator[list[tuple[int, Event]]]:
        """Yield lists of (choice, event) until all have ended."""
        ...

    def cancel(self) -> None:
        """End what has not ended."""
        ...


class Reply(Response):
    """Sends an answer while a job makes it; whatever ends it, no choice goes on without a reader."""

    def __init__(self, service: Service, job: Work, answer: Answer, stream: bool):
        super().__init__()
        self._service, self._job, self._answer, self._streams = service, job, answer, stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write until all is said, the client leaves, or it has not read for too long."""
        write = self._stream if self._streams else self._whole
        writing = asyncio.ensure_future(write(scope, receive, send))
        leaving = asyncio.ensure_future(left(receive))
        left_over = max(0.0, self._job.deadline - time.monotonic()) + GRACE
        try:
            done, _ = await asyncio.wait({writing, leaving}, timeout=left_over, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._job.cancel()
            for task in (writing, leaving):
                task.cancel()
            await asyncio.gather(writing, leaving, return_exceptions=True)
            self._note()
        if not done:
            self._service.gauges.count("linnet_aborted_total", "Connections ended because nobody read.")
            self._service.abort(scope)
        elif writing in done and not writing.cancelled() and (error := writing.exception()) is not None:
            raise error
        elif leaving in done and writing not in done:
            self._service.gauges.count("linnet_left_total", "Clients that left before their answer was whole.")

    async def _whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async for heard in self._events():
                for choice, event in heard:
                    self._answer.add(choice, event)
            response = as_json(self._answer.whole())
        except Refused as refusal:
            response = refusal.response()
        await response(scope, receive, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False
        try:
            async for heard in self._events():
                chunks = self._answer.chunks(heard)
                if not begun:  # not before there is a token: what fails until then has a status of its own
                    begun = True
                    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
                    chunks = chain(self._answer.opening(), chunks)
                await self._send(send, chunks)
            await self._send(send, self._answer.closing(), DONE, more=False)
        except Refused as refusal:
            if not begun:
                await refusal.response()(scope, receive, send)
            else:
                await self._send(send, [refusal.body()], more=False)

    async def _events(self) -> AsyncIterator[list[tuple[int, Event]]]:
        first = True
        async for heard in self._job.events():
            if first:
                self._time("linnet_first_token_seconds", "Seconds to the first token.")
                first = False
            yield heard

    async def _send(self, send: Send, chunks: Iterable[dict[str, Any]], end: bytes = b"", more: bool = True) -> None:
        data = b"".join(b"data: %s\n\n" % AS_JSON(chunk).encode() for chunk in chunks) + end
        if data or not more:
            await send({"type": "http.response.body", "body": data, "more_body": more})

    def _note(self) -> None:
        model, gauges = self._answer.host.name, self._service.gauges
        self._time("linnet_reply_seconds", "Seconds from a request to the end of its reply.")
        gauges.count("linnet_prompt_tokens_total", "Prompt tokens.", self._answer.usage()["prompt_tokens"], model=model)
        gauges.count("linnet_completion_tokens_total", "Tokens of replies.", self._answer.tokens, model=model)

    def _time(self, name: str, about: str) -> None:
        self._service.gauges.time(name, about, self._job.waited, model=self._answer.host.name)


async def left(receive: Receive) -> None:
    """Return when the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
