"""The engine says what one-at-a-time decoding says, whoever joins, leaves and is cancelled meanwhile."""

import pytest

from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import stream
from linnet.infer.engine import Engine, EngineThread, Event, Request
from tests.infer.networks import network

PROMPTS = [(1, 2, 3, 4, 5), (7,), (1, 2, 3), tuple(range(1, 12)), (9, 9)]


def run(engine: Engine) -> dict[int, list[Event]]:
    heard: dict[int, list[Event]] = {}
    while engine.busy:
        for event in engine.step():
            heard.setdefault(event.request, []).append(event)
    return heard


def alone(model, request: Request) -> list[int]:
    return [event.id for event in stream(model, None, [list(request.prompt)], request.sampling, stop_ids=())]


@pytest.mark.parametrize("temperature", [0, 1.0])
def test_many_at_once_say_what_each_says_alone(temperature):
    model = network().double()
    requests = [Request(prompt, SamplingConfig(temperature=temperature, max_tokens=9)) for prompt in PROMPTS]
    engine = Engine(model, None, slots=2)
    numbers = [engine.submit(request) for request in requests]
    heard = run(engine)
    for number, request in zip(numbers, requests, strict=True):
        assert [event.id for event in heard[number]] == alone(model, request)
        assert [event.finish for event in heard[number]] == [None] * 8 + ["length"]


def test_what_can_never_run_is_refused():
    engine = Engine(network(), None)
    for prompt, word in (((), "empty"), ((1,) * 33, "context"), ((99,), "another model"), ("text", "tokenizer")):
        with pytest.raises(BadInput, match=word):
            engine.submit(Request(prompt, SamplingConfig()))
    assert not engine.busy


def test_a_thread_tells_each_listener_and_drains():
    heard: dict[int, list[Event]] = {0: [], 1: []}
    thread = EngineThread(Engine(network(), None))
    thread.start()
    thread.submit(Request((1, 2), SamplingConfig(max_tokens=5)), heard[0].append)
    thread.submit(Request((3,), SamplingConfig(max_tokens=3)), heard[1].append)
    assert thread.drain(20)
    thread.stop()
    assert [len(heard[0]), len(heard[1])] == [5, 3]
    assert heard[0][-1].finish == heard[1][-1].finish == "length"
