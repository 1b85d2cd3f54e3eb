"""The engine's thread: each listener hears its own, nobody waits for what will not come."""

import threading
import time

import pytest

from linnet.core.errors import Failed
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import stream
from linnet.infer.engine import Engine
from linnet.infer.engine_thread import EngineThread
from linnet.infer.requests import Event, Request
from tests.infer.networks import network


def test_a_thread_tells_each_listener_and_drains():
    heard: dict[int, list[Event]] = {}
    thread = EngineThread(Engine(network(), None, slots=3))
    with pytest.raises(Failed, match="not started"):
        thread.submit(Request((1,), SamplingConfig()), print)
    thread.start()
    request = Request((1, 2), SamplingConfig(max_tokens=5), stop_ids=())
    for number in range(8):
        thread.submit(request, heard.setdefault(number, []).append)
    assert thread.drain(30)
    with pytest.raises(Failed, match="stopping"):
        thread.submit(request, print)
    thread.stop()
    expected = [event.id for event in stream(network(), None, [[1, 2]], request.sampling, stop_ids=())]
    assert [[event.id for event in events] for events in heard.values()] == [expected] * 8


def test_a_thread_cancels_and_stops_without_waiting():
    thread, told = (
        EngineThread(Engine(network(window=5, sink_tokens=1), None, slots=1, cache_bytes=2**20)),
        threading.Event(),
    )
    heard: list[Event] = []
    thread.start()
    endless = Request((1,), SamplingConfig(max_tokens=1000), stop_ids=())

    def listen(event: Event) -> None:
        heard.append(event)
        told.set()

    first = thread.submit(endless, listen)
    assert told.wait(20)
    thread.cancel(first)
    second: list[Event] = []
    thread.submit(endless, second.append)
    assert not thread.drain(0.05)
    begun = time.monotonic()
    thread.stop()
    assert time.monotonic() - begun < 5
    assert heard[-1].finish == second[-1].finish == "cancelled"


def test_a_listener_that_raises_loses_its_request_alone():
    def broken(_: Event) -> None:
        raise ValueError

    heard: list[Event] = []
    thread = EngineThread(Engine(network(), None))
    thread.start()
    thread.submit(Request((1,), SamplingConfig(max_tokens=30), stop_ids=()), broken)
    thread.submit(Request((1,), SamplingConfig(max_tokens=9), stop_ids=()), heard.append)
    assert thread.drain(20)
    thread.stop()
    assert len(heard) == 9


def test_nobody_waits_for_an_engine_that_failed():
    engine, heard = Engine(network(), None), []
    thread = EngineThread(engine)
    engine.slots.cache.cut(0, 1)  # as if memory had been lost
    thread.start()
    thread.submit(Request((1,), SamplingConfig()), heard.append)
    assert thread.drain(20)
    assert [event.finish for event in heard] == ["cancelled"]
    with pytest.raises(Failed, match="the engine failed"):
        thread.stop()
