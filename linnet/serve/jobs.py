"""From a request to an engine and back: a bounded queue at the door, and events that cross from thread to loop."""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence

from linnet.core.errors import BadInput, Failed
from linnet.infer.requests import Event, Request
from linnet.serve.gauges import Gauges
from linnet.serve.hosting import Host
from linnet.serve.refusals import Refused

LONGEST_WAIT, USUAL_SECONDS = 60, 2.0
GATHER, LONGEST_GATHER = 0.0025, 0.08  # seconds that tokens wait to go together: for each other stream, at most


class Mailbox:
    """Carries events from engines' threads to the event loop, which is woken once for many, and if somebody waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self._loop = loop
        self._letters: deque[tuple[Job, int, Event]] = deque()
        self._rung = False

    def post(self, job: "Job", choice: int, event: Event) -> None:
        """Take an event, from any thread."""
        self._letters.append((job, choice, event))
        if (job.waits or event.finish is not None) and not self._rung:
            self._rung = True
            try:
                self._loop.call_soon_threadsafe(self.deliver)
            except RuntimeError:  # the loop has ended before the engine: nobody listens any more
                self._letters.clear()

    def deliver(self) -> None:
        """Hand all events to their jobs; in the loop's thread."""
        self._rung = False  # before the letters are taken: one that comes meanwhile rings again
        while self._letters:
            job, choice, event = self._letters.popleft()
            job.hear(choice, event)


class Desk:
    """Takes the requests for one model, as many as its engine has slots for and some that wait.

    An engine with adapters has a desk for each and one for none: all are `beside` each other, and share its room.
    """

    def __init__(
        self,
        host: Host,
        mailbox: Mailbox,
        slots: int,
        queue: int,
        gauges: Gauges,
        beside: "list[Desk] | None" = None,
    ):
        self.host, self.gauges, self.slots = host, gauges, slots
        self._beside = [] if beside is None else beside
        self._beside.append(self)
        self.capacity = slots + queue
        self.in_flight = 0  # choices that an engine has and has not finished
        self.failed = False
        self._mailbox = mailbox
        self._seconds = USUAL_SECONDS  # what a choice takes lately

    def submit(self, requests: Sequence[Request], deadline: float) -> "Job":
        """Hand all requests to the engine, or none; `deadline` is a time of `time.monotonic()`.

        Raises Refused: 429 where the queue is full, 400 for what the engine cannot run, 503 where it has failed.
        """
        if self.crowd + len(requests) > self.capacity:
            self.gauges.count("linnet_full_total", "Requests refused for a full queue.", model=self.host.name)
            raise Refused(
                429,
                f"{self.crowd} replies are being written or wait, at most {self.capacity} may; come again later",
                code="rate_limit_exceeded",
                retry_after=self.wait_seconds(),
            )
        job = Job(self, self._mailbox, len(requests), deadline)
        try:
            for choice, request in enumerate(requests):
                job.send(choice, request)
        except BadInput as error:
            job.cancel()
            raise Refused(400, str(error)) from None
        except Failed as error:
            job.cancel()
            self.failed = True
            raise Refused(503, str(error), retry_after=1) from None
        return job

    @property
    def crowd(self) -> int:
        """Choices that the engine has from all its desks and has not finished."""
        return sum(desk.in_flight for desk in self._beside)

    def wait_seconds(self) -> int:
        """Return after how many seconds there may be room: the time of those before, over the slots."""
        rounds = self.crowd / self.slots
        return min(LONGEST_WAIT, max(1, math.ceil(self._seconds * rounds)))

    def finished(self, seconds: float) -> None:
        """Note that a choice has ended after so many seconds."""
        self.in_flight -= 1
        self._seconds += 0.1 * (seconds - self._seconds)


class Job:
    """The choices of one request: an iterator of what has come of them, until all have ended.

    An engine writes at its own pace into the job's memory, which is bounded by the tokens asked for: a slow reader
    holds no slot.
    """

    def __init__(self, desk: Desk, mailbox: Mailbox, choices: int, deadline: float):
        self.desk, self.deadline = desk, deadline
        self.tokens = [0] * choices
        self._mailbox = mailbox
        self._numbers: dict[int, int] = {}  # choice -> the engine's number, of those that have not ended
        self._heard: list[tuple[int, Event]] = []
        self._bell = asyncio.Event()
        self.waits = False  # for the next event, whatever it is
        self._pause: asyncio.Future[None] | None = None  # while events come together
        self._started = time.monotonic()
        self._cancelled = False

    def send(self, choice: int, request: Request) -> None:
        """Hand one choice to the engine."""
        post = self._mailbox.post
        number = self.desk.host.thread.submit(request, lambda event: post(self, choice, event))
        self._numbers[choice] = number
        self.desk.in_flight += 1

    def hear(self, choice: int, event: Event) -> None:
        """Take an event of a choice; in the loop's thread."""
        if event.id is not None:
            self.tokens[choice] += 1
        if event.finish is not None and self._numbers.pop(choice, None) is not None:
            self.desk.finished(time.monotonic() - self._started)
        if not self._cancelled:
            self._heard.append((choice, event))
            self._bell.set()
            if event.finish is not None:
                self._go_on()

    def cancel(self) -> None:
        """End all choices that have not ended; their slots are free at the engine's next step."""
        self._cancelled = True
        self._heard.clear()
        for number in self._numbers.values():
            self.desk.host.thread.cancel(number)

    @property
    def waited(self) -> float:
        """Seconds since the request."""
        return time.monotonic() - self._started

    async def events(self) -> AsyncIterator[list[tuple[int, Event]]]:
        """Yield lists of (choice, event) until all have ended: what came meanwhile is told together.

        A packet for each token would cost a busy server more than the tokens: the first goes at once, then a list waits
        a little for each stream that is written beside, but not where a choice has ended.
        Raises Refused: 504 after the deadline, 503 for a dead engine.
        """
        open_choices = len(self.tokens)
        while open_choices:
            await self._ring()
            heard, self._heard = self._heard, []
            # What nobody here has cancelled: the engine has failed. What was said before it is told.
            alive = [one for one in heard if one[1].finish != "cancelled"]
            open_choices -= sum(event.finish is not None for _, event in alive)
            if alive:
                yield alive
            if len(alive) < len(heard):
                self.desk.failed = True
                raise Refused(503, "the engine has failed or is stopping", retry_after=1)
            if open_choices:
                await self._gather()

    async def _ring(self) -> None:
        """Wait until there is something."""
        self.waits = True  # before looking: what comes after that rings
        try:
            self._mailbox.deliver()
            if self._heard:
                return
            self._bell.clear()
            async with asyncio.timeout(max(0.0, self.deadline - time.monotonic())):
                await self._bell.wait()
        except TimeoutError:
            raise Refused(504, f"the reply took longer than {self.waited:.0f} s allowed to a request") from None
        finally:
            self.waits = False

    async def _gather(self) -> None:
        """Let events come together for a while."""
        beside = min(self.desk.crowd, self.desk.slots) - 1
        if beside > 0:
            loop = asyncio.get_running_loop()
            self._pause = loop.create_future()
            beat = min(LONGEST_GATHER, GATHER * beside)
            # All go on at the same beat: the loop wakes once for many streams.
            timer = loop.call_later(beat - loop.time() % beat, self._go_on)
            try:
                await self._pause
            finally:
                timer.cancel()

    def _go_on(self) -> None:
        if self._pause is not None and not self._pause.done():
            self._pause.set_result(None)
