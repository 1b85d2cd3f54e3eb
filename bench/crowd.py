"""A crowd of clients on a server: most read to the end, some are killed, some hardly read, some send nonsense.

Plain sockets, so that what is sent and read is known to the byte, and hundreds of clients fit into one thread.
"""

import asyncio
import json
import random
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

QUESTIONS = (
    "Mina has 4 apples. Otto gives her 3 more. How many apples has Mina now?",
    "Erik has a grey dog. He works as a smith. What animal does Erik have?",
    "Use he or she instead of the name. Elsa holds the cup.",
    "Go on with the story: One sunny morning, Jonas was at the lake.",
    "hello",
    "Is this review good or bad? The soup was cold and the waiter was rude.",
)
DONE = b"data: [DONE]\n\n"
SLOW_BYTES, SLOW_PAUSE, SMALL_BUFFER = 512, 0.1, 4096  # what a client that hardly reads takes at once, and how often
PATIENCE = 120.0  # seconds that a client waits for the next bytes


class Cut(Exception):
    """The connection ended before the answer did."""


@dataclass(frozen=True)
class Answer:
    """What came back: a status, headers in small letters, the body without the marks of its chunks."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Heard:
    """What a streamed reply said: its text, tokens told one by one, its end, and the usage that it names."""

    text: str
    tokens: int
    finish: str | None
    usage: dict[str, int]


@dataclass
class Crowd:
    """A load: where it goes, who is in it, until when; and what came of it.

    `right` holds what the idle server replied to each question: under load every whole reply must be the same.
    """

    host: str
    port: int
    model: str
    most: int
    until: float = 0.0
    killed: float = 0.10
    slow: float = 0.05
    malformed: float = 0.05
    right: dict[str, Heard] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of whole answers, from asking to the end

    def body(self, question: str) -> dict[str, Any]:
        """Return the request of a question: greedy, streamed, each token told."""
        return {
            "model": self.model,
            "messages": [{"role": "user", "content": question}],
            "temperature": 0,
            "max_tokens": self.most,
            "stream": True,
            "stream_options": {"include_usage": True},
            "logprobs": True,
        }

    async def learn(self) -> None:
        """Ask every question once, one after the other, and keep what is said."""
        for question in QUESTIONS:
            answer = await self.ask(json.dumps(self.body(question)).encode())
            self.right[question] = heard(answer.body)

    async def client(self, dice: random.Random, draw: float) -> None:
        """Ask again and again until the time is over, each time as one kind of client; `draw` in [0, 1) is the first.

        A crowd whose first draws are spread evenly has every kind in it, however short the time.
        """
        while time.monotonic() < self.until:
            question = dice.choice(QUESTIONS)
            data = json.dumps(self.body(question)).encode()
            try:
                if draw < self.killed:
                    await self.leave(data, dice)
                elif draw < self.killed + self.slow:
                    await self.read_whole(question, data, slow=True)
                elif draw < self.killed + self.slow + self.malformed:
                    await self.nonsense(data, dice)
                else:
                    await self.read_whole(question, data)
            except (Cut, OSError, TimeoutError, ValueError, KeyError) as error:
                self.faults.append(f"{type(error).__name__}: {str(error)[:200]}")
            draw = dice.random()

    async def read_whole(self, question: str, data: bytes, slow: bool = False) -> None:
        """Read an answer to its end, and hold it against what the idle server said; come again after a 429."""
        begun = time.monotonic()
        answer = await self.ask(data, slow)
        if answer.status == 429:
            self.met["refused with 429"] += 1
            await asyncio.sleep(self.told_to_wait(answer))
            return
        if answer.status != 200:
            raise ValueError(f"status {answer.status}: {answer.body[:120]!r}")
        found, right = heard(answer.body), self.right[question]
        if found != right:
            raise ValueError(f"{question!r} was answered {found}, alone {right}")
        self.met["whole, read slowly" if slow else "whole"] += 1
        if not slow:
            self.seconds.append(time.monotonic() - begun)

    def told_to_wait(self, answer: Answer) -> float:
        """Return the seconds of Retry-After; raises for a refusal that is not in OpenAI's shape."""
        if json.loads(answer.body)["error"]["type"] != "rate_limit_error":
            raise ValueError(f"a 429 of another shape: {answer.body[:120]!r}")
        seconds = int(answer.headers["retry-after"])
        if not 1 <= seconds <= 60:
            raise ValueError(f"Retry-After: {seconds}")
        return float(seconds)

    async def leave(self, data: bytes, dice: random.Random) -> None:
        """Vanish in the middle of an answer: after some bytes, or none, without a word."""
        reader, writer = await self.connect()
        writer.write(head(data) + data)
        wanted = dice.choice([0, 1, 200, 1000, 4000])
        try:
            if wanted:
                async with asyncio.timeout(PATIENCE):
                    await reader.readexactly(wanted)
        except asyncio.IncompleteReadError:  # a refusal, or a short reply
            pass
        finally:
            self.met["killed"] += 1
            writer.transport.abort()

    async def nonsense(self, data: bytes, dice: random.Random) -> None:
        """Send what is no request, and expect a refusal in words, or a connection that is closed."""
        kind = dice.randrange(5)
        if kind == 0:  # half a body, and gone
            _, writer = await self.connect()
            writer.write(head(data) + data[: len(data) // 2])
            await writer.drain()
            writer.transport.abort()
        elif kind == 1:  # no HTTP at all
            reader, writer = await self.connect()
            writer.write(bytes(dice.randrange(256) for _ in range(200)) + b"\r\n\r\n")
            async with asyncio.timeout(PATIENCE):
                await reader.read()
            writer.transport.abort()
        else:
            spoilt = bytearray(data)
            for _ in range(3):
                spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
            sent = [b"{", bytes(spoilt[: dice.randrange(len(spoilt))]), b"[" * 5000][kind - 2]
            answer = await self.ask(sent)
            if answer.status not in (400, 404) or not json.loads(answer.body)["error"]["message"]:
                raise ValueError(f"nonsense was answered {answer.status}: {answer.body[:120]!r}")
        self.met["malformed"] += 1

    async def ask(self, data: bytes, slow: bool = False, path: str = "/v1/chat/completions") -> Answer:
        """Send a body (none: GET) and return the whole answer; raises Cut where its end is missing."""
        reader, writer = await self.connect(SMALL_BUFFER if slow else None)
        try:
            writer.write(head(data, path))
            writer.write(data)
            raw = bytearray()
            while True:
                async with asyncio.timeout(PATIENCE):
                    piece = await reader.read(SLOW_BYTES if slow else 2**16)
                if not piece:
                    return whole(bytes(raw))
                raw += piece
                if slow:
                    await asyncio.sleep(SLOW_PAUSE)
        finally:
            writer.transport.abort()

    async def connect(self, buffer: int | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection; `buffer` bytes are kept for a client that hardly reads, so that its server feels it."""
        connection = socket.socket()
        connection.setblocking(False)
        if buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_connect(connection, (self.host, self.port))
        return await asyncio.open_connection(sock=connection, limit=buffer or 2**16)


def head(data: bytes, path: str = "/v1/chat/completions") -> bytes:
    """Return the head of a request whose connection ends with the answer."""
    first = f"POST {path}" if data else f"GET {path}"
    kind = f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n" if data else ""
    return f"{first} HTTP/1.1\r\nHost: localhost\r\n{kind}Connection: close\r\n\r\n".encode()


def whole(raw: bytes) -> Answer:
    """Return the answer in the bytes of a connection; raises Cut where they end too early."""
    start, found, rest = raw.partition(b"\r\n\r\n")
    if not found:
        raise Cut(f"{len(raw)} bytes and no answer")
    first, *lines = start.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = unchunked(rest) if headers.get("transfer-encoding") == "chunked" else rest
    if len(body) < int(headers.get("content-length", 0)):
        raise Cut(f"{len(body)} bytes of {headers['content-length']}")
    return Answer(int(first.split()[1]), headers, body)


def unchunked(data: bytes) -> bytes:
    """Return the body in chunks; raises Cut without the last one, which is empty."""
    body, at = bytearray(), 0
    while True:
        line, found, _ = data[at : at + 20].partition(b"\r\n")
        if not found:
            raise Cut(f"{len(body)} bytes of a stream, and then no end")
        size = int(line, 16)
        if size == 0:
            return bytes(body)
        at += len(line) + 2
        body += data[at : at + size]
        at += size + 2


def heard(body: bytes) -> Heard:
    """Return what a stream said; raises ValueError where it does not end as one should."""
    if not body.endswith(DONE):
        raise ValueError(f"a stream that ends {body[-120:]!r}")
    text, tokens, finish, usage = "", 0, None, {}
    for line in body.removesuffix(DONE).split(b"\n\n"):
        if not line:
            continue
        chunk = json.loads(line.removeprefix(b"data: "))
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            text += choice["delta"].get("content", "")
            tokens += len((choice["logprobs"] or {}).get("content", ()))
            finish = choice["finish_reason"] or finish
    # The token that ends a reply is written, but is no part of what is told.
    if finish not in ("stop", "length") or usage["completion_tokens"] != tokens + (finish == "stop"):
        raise ValueError(f"{tokens} tokens, finish {finish}, usage {usage}")
    return Heard(text, tokens, finish, usage)
