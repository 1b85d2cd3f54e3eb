"""What all requests share: the models with their queues, the numbers, and whether the server is leaving."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from linnet.infer.engine_thread import EngineThread
from linnet.retrieve.index import Index
from linnet.serve.config import ServeConfig
from linnet.serve.gauges import Gauges
from linnet.serve.hosting import Host
from linnet.serve.jobs import Desk, Mailbox
from linnet.serve.refusals import Refused

T = TypeVar("T")


class Service:
    """The state of a server; `open_desks` when its event loop runs.

    `abort` ends the connection of a request whose reader does not read, by the address in its scope.
    """

    def __init__(self, cfg: ServeConfig, hosts: Sequence[Host], keys: Sequence[str] = (), index: Index | None = None):
        self.index = index
        self.cfg, self.hosts, self.keys = cfg, {host.name: host for host in hosts}, tuple(keys)
        self.gauges = Gauges()
        self.desks: dict[str, Desk] = {}
        self.draining = False
        self.requests = 0  # being answered now, health and page not counted
        self.abort: Callable[[Any], None] = lambda scope: None
        self._aside = asyncio.Semaphore(1)  # embeddings, attention, searches: one at a time, beside the engines
        self._aside_waiting = 0

    def open_desks(self) -> None:
        """Start the engines, and take requests from now on."""
        mailbox = Mailbox(asyncio.get_running_loop())
        beside: dict[EngineThread, list[Desk]] = {}
        for name, host in self.hosts.items():
            others = beside.setdefault(host.thread, [])
            self.desks[name] = Desk(host, mailbox, self.cfg.slots, self.cfg.queue, self.gauges, others)
        for thread in beside:
            thread.start()

    def close(self) -> None:
        """Stop the engines; what still runs is cancelled."""
        for thread in {host.thread: None for host in self.hosts.values()}:
            thread.stop()

    def desk(self, name: str) -> Desk:
        """Return the desk of a model; raises Refused (404) naming those that are served."""
        if name not in self.desks:
            known = ", ".join(self.desks)
            raise Refused(404, f"no model {name!r} here; there are: {known}", param="model", code="model_not_found")
        return self.desks[name]

    async def aside(self, work: Callable[[], T]) -> T:
        """Do work beside the engines, in a thread; as many may wait as for a model, else raises Refused (429)."""
        if self._aside_waiting > self.cfg.queue:
            raise Refused(
                429, "too many texts wait to be read; come again later", code="rate_limit_exceeded", retry_after=1
            )
        self._aside_waiting += 1
        try:
            async with self._aside:
                return await asyncio.to_thread(work)
        finally:
            self._aside_waiting -= 1

    @property
    def healthy(self) -> bool:
        """Whether requests are taken and every engine runs."""
        return bool(self.desks) and not self.draining and not any(desk.failed for desk in self.desks.values())

    def levels(self) -> Iterator[tuple[str, str, dict[str, str], float]]:
        """Yield the levels of now for /metrics: (name, about, labels, value)."""
        yield "linnet_requests_open", "Requests being answered.", {}, self.requests
        yield "linnet_draining", "1 while the server is leaving.", {}, self.draining
        engines = {name: desk.host.thread.engine for name, desk in self.desks.items() if desk.host.adapter is None}
        stats = {name: engine.stats() for name, engine in engines.items()}
        shown = {
            "active": "Replies being written.",
            "waiting": "Replies that wait for a slot.",
            "slots": "Replies that can be written at once.",
            "cache_bytes": "Bytes of the key-value cache.",
            "tokens_made": "Tokens written since the start.",
            "prompt_tokens_read": "Prompt tokens read since the start.",
            "prefix_tokens_reused": "Prompt tokens that were in the cache already.",
            "tokens_guessed": "Tokens guessed ahead since the start.",
            "guesses_kept": "Guesses that were what the model said.",
            "compiled": "1 where the compiled pass reads for the network.",
        }
        for field, about in shown.items():
            for name, numbers in stats.items():
                yield f"linnet_engine_{field}", about, {"model": name}, getattr(numbers, field)
