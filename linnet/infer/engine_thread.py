"""A thread that runs a serving engine, and hands each event to who asked for it."""

import threading
from collections.abc import Callable
from dataclasses import replace

from linnet.core.errors import Failed
from linnet.infer.engine import Engine
from linnet.infer.requests import Event, Request


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
