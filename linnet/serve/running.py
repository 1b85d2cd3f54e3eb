"""Running the server: it listens, says where, and on SIGTERM or Ctrl-C lets what runs end before it leaves."""

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from linnet.core.console import logger
from linnet.core.errors import BadInput, Failed, Stopped
from linnet.serve.app import create_app
from linnet.serve.config import KEY_VARIABLE, ServeConfig
from linnet.serve.guard import open_to_others, read_keys
from linnet.serve.hosting import open_hosts
from linnet.serve.service import Service
from linnet.serve.sourcing import open_index

MOST_CONNECTIONS = 2048
MOST_KEY_BYTES = 2**16
LOOK_EVERY = 0.05  # seconds


class Server(uvicorn.Server):
    """Uvicorn's server, which on the first signal drains: requests get 503 until those that run have ended."""

    def __init__(self, service: Service, config: uvicorn.Config):
        super().__init__(config)
        self.service, self.signal, self.cut = service, 0, 0
        service.abort = self._abort

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; a second signal ends at once."""
        if self.signal:
            self.should_exit = self.force_exit = True
        self.signal, self.service.draining = self.signal or sig, True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say where when requests and signals are heard."""
        await super().startup(sockets)
        for one in sockets or ():
            name, port = one.getsockname()[:2]
            shown = f"[{name}]" if ":" in name else name
            logger.info("serving %s at http://%s:%d", ", ".join(self.service.hosts), shown, port)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals while serving, and unlike uvicorn do not raise them again at the end."""
        if threading.current_thread() is not threading.main_thread():  # Python gives signals to no other
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def main_loop(self) -> None:
        """Serve until asked to stop, then until nothing runs or the time is up."""
        draining = asyncio.ensure_future(self._drain())
        try:
            await super().main_loop()
        finally:
            draining.cancel()

    async def _drain(self) -> None:
        while not self.service.draining:
            await asyncio.sleep(LOOK_EVERY)
        running, left = self.service.requests, self.service.cfg.drain_seconds
        logger.info("stopping: %d requests are running, and have %g s; once more stops at once", running, left)
        while self.service.requests and left > 0:
            await asyncio.sleep(LOOK_EVERY)
            left -= LOOK_EVERY
        self.cut = self.service.requests
        self.should_exit = True

    def _abort(self, scope: Any) -> None:
        """End the connection that a request came by, without waiting for what was not read."""
        for connection in list(self.server_state.connections):
            if scope.get("client") is not None and getattr(connection, "client", None) == tuple(scope["client"]):
                connection.transport.abort()


def serve(cfg: ServeConfig) -> None:
    """Serve the models of some runs until a signal; raises Stopped after Ctrl-C, Failed where replies were cut off."""
    keys = find_keys(cfg)
    if open_to_others(cfg.host) and not keys:
        logger.warning(
            "listening on %s without an API key: whoever reaches this machine may ask; "
            "set LINNET_API_KEY or --api-key-file",
            cfg.host,
        )
    listening = listen(cfg)
    index = open_index(cfg)
    service = Service(cfg, open_hosts(cfg), keys, index)
    config = uvicorn.Config(
        create_app(service),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=2**16,
        ws="none",
    )
    server = Server(service, config)
    asyncio.run(server.serve([listening]))
    if server.cut:
        raise Failed(f"stopped while {server.cut} requests were running (--drain-seconds {cfg.drain_seconds:g})")
    if server.signal == signal.SIGINT:
        raise Stopped("stopped; nothing was cut off", 128 + signal.SIGINT)
    logger.info("stopped; nothing was cut off")


def listen(cfg: ServeConfig) -> socket.socket:
    """Return a socket that listens as chosen; before the models are loaded, so that a taken port is said at once."""
    family = socket.AF_INET6 if ":" in cfg.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((cfg.host.strip("[]"), cfg.port))
    except OSError as error:
        listening.close()
        raise BadInput(
            f"--host {cfg.host} --port {cfg.port}: {error.strerror}; choose another (--port 0: any)"
        ) from None
    return listening


def find_keys(cfg: ServeConfig) -> list[str]:
    """Return the API keys of the file or the environment; raises BadInput for a file without any."""
    if cfg.api_key_file is None:
        return read_keys([os.environ.get(KEY_VARIABLE, "")])
    return _keys_of(cfg.api_key_file)


def _keys_of(path: Path) -> list[str]:
    with open(path, "rb") as file:
        data = file.read(MOST_KEY_BYTES + 1)
    try:
        keys = read_keys(data.decode().splitlines())
    except UnicodeDecodeError:
        keys = []
    if not keys or len(data) > MOST_KEY_BYTES:
        raise BadInput(f"{path}: no API keys; write one in each line")
    if path.stat().st_mode & 0o077:
        logger.warning("%s: others on this machine may read the keys; chmod 600 %s", path, path)
    return keys
