"""Replies over real sockets: clients that leave, that read slowly, requests that take too long."""

import http.client
import json
import socket
import time
from urllib.parse import urlsplit

import pytest

from linnet.serve import jobs, replying
from tests.serve.material import HELLO, live, polite, service_over, talker, until


def body(**more) -> bytes:
    return json.dumps({"model": "talker", "messages": HELLO, "max_tokens": 2000, "temperature": 0, **more}).encode()


def post(address: str, data: bytes, receive_buffer: int | None = None) -> socket.socket:
    """Send a chat request and return the open socket."""
    where, sent = urlsplit(address), socket.socket()
    if receive_buffer is not None:
        sent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sent.connect((where.hostname, where.port))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: application/json\r\n"
    sent.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    return sent


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_its_slot_at_once(stream):
    service = service_over(talker(slots=1), slots=1)
    with live(service) as address:
        gone = post(address, body(stream=stream))
        desk = service.desks["talker"]
        until(lambda: desk.in_flight == 1)
        if stream:
            assert gone.recv(12) == b"HTTP/1.1 200"
        gone.close()
        until(lambda: desk.in_flight == 0)
        assert desk.host.thread.engine.stats().tokens_made < 2000
        until(lambda: "linnet_left_total 1" in service.gauges.text())
        until(lambda: service.requests == 0)


def test_what_waits_is_cancelled_too():
    service = service_over(talker(slots=1), slots=1, queue=1)
    with live(service) as address:
        running, waiting = post(address, body()), post(address, body())
        desk = service.desks["talker"]
        until(lambda: desk.in_flight == 2)
        waiting.close()
        until(lambda: desk.in_flight == 1)
        running.close()
        until(lambda: desk.in_flight == 0)
        assert desk.host.thread.engine.stats().tokens_made < 2000


@pytest.mark.parametrize("stream", [True, False])
def test_a_reply_that_takes_too_long(stream):
    service = service_over(talker(slots=1), slots=1, request_seconds=0.02)
    with live(service) as address:
        asked = http.client.HTTPConnection(urlsplit(address).netloc)
        asked.request("POST", "/v1/chat/completions", body(stream=stream), {"Content-Type": "application/json"})
        answer = asked.getresponse()
        text = answer.read().decode()
        assert "longer than" in text
        if stream:
            assert json.loads(text.strip().splitlines()[-1].removeprefix("data: "))["error"]["type"] == "timeout"
            assert "[DONE]" not in text
        else:
            assert answer.status == 504
        until(lambda: service.desks["talker"].in_flight == 0)


@pytest.mark.slow
def test_a_reader_that_does_not_read_holds_no_slot_and_is_let_go(monkeypatch):
    monkeypatch.setattr(replying, "GRACE", 0.2)
    service = service_over(talker(slots=1), slots=1, request_seconds=4)
    with live(service, send_buffer=4096) as address:
        # So much per token that all buffers on the way are full long before the end.
        idle = post(address, body(stream=True, max_tokens=100, logprobs=True, top_logprobs=20), receive_buffer=4096)
        desk = service.desks["talker"]
        until(lambda: desk.in_flight == 1)
        until(lambda: desk.in_flight == 0)
        assert desk.host.thread.engine.stats().tokens_made == 100, "the engine went on at its own pace"
        assert service.requests == 1, "the reader is still being waited for"
        until(lambda: service.requests == 0)
        assert "linnet_aborted_total 1" in service.gauges.text()
        idle.close()


def test_a_stream_ends_whole_and_the_connection_goes_on():
    service = service_over(polite())
    with live(service) as address:
        asked = http.client.HTTPConnection(urlsplit(address).netloc)
        for _ in range(2):
            data = json.dumps({"model": "polite", "messages": HELLO, "temperature": 0, "stream": True})
            asked.request("POST", "/v1/chat/completions", data, {"Content-Type": "application/json"})
            answer = asked.getresponse()
            assert answer.getheader("Content-Type") == "text/event-stream; charset=utf-8"
            lines = answer.read().decode().strip().split("\n\n")
            assert lines[-1] == "data: [DONE]"
            assert all(line.startswith("data: ") for line in lines)
        until(lambda: service.requests == 0)


def test_tokens_go_together_where_several_are_written_and_none_is_lost(monkeypatch):
    monkeypatch.setattr(jobs, "LONGEST_GATHER", 0.1)
    monkeypatch.setattr(jobs, "GATHER", 0.1)
    service = service_over(talker())
    with live(service) as address:

        def said(stream: bool) -> list[dict]:
            asked = http.client.HTTPConnection(urlsplit(address).netloc)
            data = body(n=2, seed=3, temperature=1, max_tokens=60, stream=stream, logprobs=True)
            asked.request("POST", "/v1/chat/completions", data, {"Content-Type": "application/json"})
            text = asked.getresponse().read().decode()
            return [json.loads(part) for part in text.split("data: ") if part[:1] == "{"]

        chunks = [chunk["choices"][0] for chunk in said(stream=True)]
        [whole] = said(stream=False)
        assert len(chunks) < 60, "of 120 tokens"
        for choice in whole["choices"]:
            own = [chunk for chunk in chunks if chunk["index"] == choice["index"]]
            told = [one for chunk in own for one in (chunk["logprobs"] or {"content": []})["content"]]
            assert "".join(chunk["delta"].get("content", "") for chunk in own) == choice["message"]["content"]
            assert [one["token"] for one in told] == [one["token"] for one in choice["logprobs"]["content"]]
            assert own[-1]["finish_reason"] == choice["finish_reason"] == "length"


def test_a_first_token_is_timed():
    service = service_over(polite())
    with live(service) as address:
        asked = http.client.HTTPConnection(urlsplit(address).netloc)
        data = json.dumps({"model": "polite", "messages": HELLO, "max_tokens": 1})
        begun = time.monotonic()
        asked.request("POST", "/v1/chat/completions", data, {"Content-Type": "application/json"})
        assert json.loads(asked.getresponse().read())["usage"]["completion_tokens"] == 1
        # What is noted at the end of a reply may come after the client has it.
        until(lambda: 'linnet_completion_tokens_total{model="polite"} 1' in service.gauges.text())
        text = service.gauges.text()
        assert 'linnet_first_token_seconds_count{model="polite"} 1' in text
        line = next(line for line in text.splitlines() if line.startswith("linnet_first_token_seconds_sum"))
        assert 0 < float(line.split()[-1]) <= time.monotonic() - begun
