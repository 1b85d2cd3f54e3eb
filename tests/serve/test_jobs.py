"""The queue at the door: what is taken, refused, cancelled, and that nothing stays in flight."""

import asyncio
import time

import pytest

from linnet.infer.config import SamplingConfig
from linnet.infer.requests import Event, Request
from linnet.serve import jobs
from linnet.serve.gauges import Gauges
from linnet.serve.jobs import Desk, Mailbox
from linnet.serve.refusals import Refused
from tests.serve.material import polite, talker


def run(host, act, slots=2, queue=1):
    """Run `act(desk)` in a loop beside the host's engine."""

    async def whole():
        desk = Desk(host, Mailbox(asyncio.get_running_loop()), slots, queue, Gauges())
        host.thread.start()
        try:
            return await act(desk)
        finally:
            await asyncio.to_thread(host.thread.stop)

    return asyncio.run(whole())


def ask(host, most=4, **choices) -> Request:
    return Request((host.tokenizer.end_id,), SamplingConfig(**{"max_tokens": most, "temperature": 0, **choices}))


def soon() -> float:
    return time.monotonic() + 60


def test_each_choice_comes_whole_and_nothing_stays_in_flight():
    host = talker()

    async def act(desk):
        job = desk.submit([ask(host, seed=1, temperature=1), ask(host, seed=2, temperature=1)], soon())
        assert desk.in_flight == 2
        heard = {0: [], 1: []}
        async for together in job.events():
            for choice, event in together:
                heard[choice].append(event)
        assert desk.in_flight == 0
        assert job.tokens == [4, 4]
        return heard

    heard = run(host, act)
    for events in heard.values():
        assert [event.finish for event in events] == [None, None, None, "length"]
    assert [e.id for e in heard[0]] != [e.id for e in heard[1]]


def test_what_comes_beside_others_is_told_together_and_an_end_at_once(monkeypatch):
    monkeypatch.setattr(jobs, "GATHER", 1e9)
    monkeypatch.setattr(jobs, "LONGEST_GATHER", 1e9)
    host = talker()

    async def act(desk):
        async def lists(job):
            return [len(together) async for together in job.events()]

        async with asyncio.timeout(20):  # far less than a list may wait for more
            return await asyncio.gather(*(lists(desk.submit([ask(host, most)], soon())) for most in (60, 80)))

    for most, sizes in zip((60, 80), run(host, act), strict=True):
        assert sum(sizes) == most
        assert len(sizes) <= 3, "the first at once, what came until the end, and perhaps one that came with the first"


def test_what_came_while_nobody_waited_is_there_at_once():
    host = talker()

    async def act(desk):
        mailbox = Mailbox(asyncio.get_running_loop())
        job = jobs.Job(desk, mailbox, 1, soon())
        mailbox.post(job, 0, Event(0, 5, "a", None, (), None))
        async with asyncio.timeout(5):  # no other event comes that would wake it
            return await anext(job.events())

    assert [event.text for _, event in run(host, act)] == ["a"]


def test_a_full_queue_is_429_and_takes_none_of_the_request():
    host = talker()

    async def act(desk):
        taken = [desk.submit([ask(host, 3000)], soon()), desk.submit([ask(host, 3000)], soon())]
        with pytest.raises(Refused) as refused:
            desk.submit([ask(host), ask(host)], soon())
        assert refused.value.status == 429
        assert 1 <= refused.value.retry_after <= 60
        assert desk.in_flight == 2
        desk.submit([ask(host)], soon()).cancel()
        for job in taken:
            job.cancel()
        while desk.in_flight:
            await asyncio.sleep(0.01)
        async for _ in desk.submit([ask(host)] * 3, soon()).events():
            pass

    run(host, act)


def test_the_time_of_a_request_ends():
    host = talker()

    async def act(desk):
        job = desk.submit([ask(host, 4000)], time.monotonic() + 0.2)
        with pytest.raises(Refused) as refused:
            async for _ in job.events():
                pass
        job.cancel()
        return refused.value.status

    assert run(host, act) == 504


def test_what_the_engine_cannot_run_is_400():
    host = polite()

    async def act(desk):
        with pytest.raises(Refused) as refused:
            desk.submit([ask(host), Request((10**6,), SamplingConfig())], soon())
        while desk.in_flight:  # the first of both was taken, and is cancelled
            await asyncio.sleep(0.01)
        return refused.value.status

    assert run(host, act) == 400


def test_an_engine_that_stops_is_503():
    host = talker()

    async def act(desk):
        job = desk.submit([ask(host, 4000)], soon())
        asyncio.get_running_loop().call_later(0.1, lambda: host.thread.cancel(next(iter(job._numbers.values()))))
        with pytest.raises(Refused) as refused:
            async for _ in job.events():
                pass
        await asyncio.to_thread(host.thread.stop)
        with pytest.raises(Refused) as later:
            desk.submit([ask(host)], soon())
        return refused.value.status, later.value.status, desk.failed

    assert run(host, act) == (503, 503, True)
