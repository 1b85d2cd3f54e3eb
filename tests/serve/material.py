"""Small models that are served, and servers over them, for the tests of this folder."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import torch
import uvicorn

from linnet.infer.engine import Engine
from linnet.infer.engine_thread import EngineThread
from linnet.model.decoder import Decoder
from linnet.retrieve.config import ChunkConfig
from linnet.retrieve.index import Index
from linnet.retrieve.making import make
from linnet.serve.app import create_app
from linnet.serve.config import ServeConfig
from linnet.serve.hosting import Host
from linnet.serve.running import Server
from linnet.serve.service import Service
from linnet.text.chat import stop_id
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import bpe, chain, network
from tests.retrieve.networks import sources

REPLY = "café"
HELLO = [{"role": "user", "content": "hello"}]


def host(name: str, model: Decoder, tokenizer: Tokenizer, slots: int = 4, chats: bool = True) -> Host:
    return Host(name, model, tokenizer, EngineThread(Engine(model, tokenizer, slots)), chats, True, 1_700_000_000)


def polite(name: str = "polite", slots: int = 4, reply: str = REPLY, context: int = 64) -> Host:
    """Return a model that gives one reply to everything."""
    tokenizer = bpe()
    said = [*tokenizer.encode("\n"), *tokenizer.encode(reply), stop_id(tokenizer)]
    return host(name, chain(tokenizer, said, context=context), tokenizer, slots)


def talker(name: str = "talker", slots: int = 4, context: int = 4096) -> Host:
    """Return a model that never comes to an end by itself when it is greedy, and seldom otherwise."""
    tokenizer = bpe()
    model = network(vocab_size=tokenizer.vocab_size, context_length=context)
    with torch.no_grad():
        model.head.weight[list(tokenizer.specials.values())] = 0
    return host(name, model, tokenizer, slots)


def base(name: str = "base", slots: int = 4) -> Host:
    """Return a model that was not taught to reply."""
    tokenizer = bpe()
    return host(name, network(vocab_size=tokenizer.vocab_size, context_length=64), tokenizer, slots, chats=False)


def calculating(name: str = "sums") -> Host:
    """Return a model that asks for a calculation in each reply."""
    tokenizer = Tokenizer.train_bpe(["<<6*7=42>>42 <<8/0=>> <<9**9=>> <<3-5=-2>>-2 assistant\n" * 20], 300)
    ids = [*tokenizer.encode("\n"), *tokenizer.encode("<<6*7=")]
    model = chain(tokenizer, ids, [*tokenizer.encode(">>"), stop_id(tokenizer)])
    return host(name, model, tokenizer)


def service_over(*hosts: Host, keys: tuple[str, ...] = (), index: Index | None = None, **choices) -> Service:
    return Service(ServeConfig(**{"slots": 4, "max_new_tokens": 2000, **choices}), hosts, keys, index)


def documents() -> Index:
    """Return an index of three documents, without an encoder."""
    texts = {
        "river.txt": "The café by the river was quiet. Mia went there in the morning.",
        "tree.txt": "The little bird sang in the old tree until the rain came.",
        "page.html": "<b>Otto</b> bakes bread & <script>alert('cakes')</script> in the mill.",
    }
    return make(sources(texts), ChunkConfig(tokens=40, overlap=0), None)


@contextlib.contextmanager
def live(service: Service, send_buffer: int | None = None) -> Iterator[str]:
    """Serve over a real socket in a thread; yields the address. `send_buffer` bytes are kept for a slow reader."""
    listening = socket.socket()
    if send_buffer is not None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(service), log_config=None, access_log=False, timeout_graceful_shutdown=2)
    server = Server(service, config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    try:
        until(lambda: server.started)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


def until(true, seconds: float = 30) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(0.01)
