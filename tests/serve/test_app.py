"""The routes: shapes of answers and errors, bodies of all kinds, the page's files."""

import json
import random

import pytest
from starlette.testclient import TestClient

from linnet.serve.app import PAGE, create_app
from tests.serve.material import HELLO, REPLY, base, documents, polite, service_over

CHAT = {"model": "polite", "messages": HELLO, "temperature": 0}


def ask(client, path="/v1/chat/completions", **more):
    return client.post(path, json={**CHAT, **more})


def test_models(client):
    listed = client.get("/v1/models").json()
    assert [card["id"] for card in listed["data"]] == ["polite", "sums", "base"]
    assert client.get("/v1/models/base").json()["linnet"]["chats"] is False
    assert client.get("/v1/models/none").json()["error"]["code"] == "model_not_found"


def test_a_chat(client):
    answer = ask(client, n=2, logprobs=True)
    assert answer.status_code == 200
    whole = answer.json()
    assert [choice["message"]["content"] for choice in whole["choices"]] == [REPLY, REPLY]
    assert [choice["index"] for choice in whole["choices"]] == [0, 1]
    assert whole["usage"]["total_tokens"] == whole["usage"]["prompt_tokens"] + whole["usage"]["completion_tokens"]


def test_the_calculator_answers_within_the_reply(client):
    said = [ask(client, model="sums", calculator=on).json()["choices"][0]["message"]["content"] for on in (True, False)]
    assert said[0].startswith("<<6*7=42>>")
    assert not said[1].startswith("<<6*7=42")


def test_stop_strings_and_lengths(client):
    cut = ask(client, stop=["f"]).json()["choices"][0]
    assert (cut["message"]["content"], cut["finish_reason"]) == ("ca", "stop")
    short = ask(client, max_tokens=2).json()["choices"][0]  # its last token is half of a letter
    assert (short["message"]["content"], short["finish_reason"]) == ("caf\N{REPLACEMENT CHARACTER}", "length")


def test_completions_of_several_prompts(client):
    answer = client.post("/v1/completions", json={"model": "base", "prompt": ["the", "bird"], "n": 2, "seed": 1})
    choices = answer.json()["choices"]
    assert [choice["index"] for choice in choices] == [0, 1, 2, 3]
    assert choices[0]["text"] != choices[1]["text"]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/chat/completions", {**CHAT, "model": "none"}, 404, "model_not_found"),
        ("/v1/chat/completions", {**CHAT, "model": "base"}, 400, None),
        ("/v1/chat/completions", {**CHAT, "messages": [{"role": "user", "content": "x" * 999}]}, 400,
         "context_length_exceeded"),
        ("/v1/chat/completions", {**CHAT, "max_tokens": 2001}, 400, None),
        ("/v1/chat/completions", {**CHAT, "tools": [{}]}, 400, None),
        ("/v1/completions", {"model": "base", "prompt": []}, 400, None),
        ("/v1/completions", {"model": "base", "prompt": [10**6]}, 400, None),
        ("/v1/embeddings", {"model": "base", "input": ""}, 200, None),
        ("/v1/embeddings", {"model": "base", "input": "a", "dimensions": 3}, 400, None),
        ("/v1/linnet/attention", {"model": "base", "text": "a", "layer": 99}, 400, None),
        ("/v1/nothing", {}, 404, None),
        ("/health", {}, 405, None),
    ],
)  # fmt: skip
def test_errors(client, path, body, status, code):
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    if status != 200:
        error = answer.json()["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        assert (error["code"], error["type"]) == (code, "invalid_request_error")
        assert error["message"]


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"", "application/json", "JSON"),
        (b"{", "application/json", "not JSON"),
        (b"\xff\xfe{}", "application/json", ""),
        (b"[1]", "application/json", "JSON object"),
        (b'{"model": "polite"}', "text/plain", "Content-Type"),
        (b"[" * 100_000, "application/json", ""),
        (b'{"model":"polite","messages":[{"role":"user","content":"\\ud800"}]}', "application/json", "surrogate"),
        (b'{"\\ud800": 1}', "application/json", "unknown field"),
        (b'{"model":"\\ud800","messages":[{"role":"user","content":"a"}]}', "application/json", ""),
        (b'{"model":"polite","top_p":NaN,"messages":[{"role":"user","content":"a"}]}', "application/json", "finite"),
        (b'{"model":"polite","seed":' + b"9" * 5000 + b"}", "application/json", ""),
    ],
)  # fmt: skip
def test_bodies_that_are_none(client, content, kind, words):
    answer = client.post("/v1/chat/completions", content=content, headers={"Content-Type": kind})
    assert answer.status_code in (400, 404), answer.text
    assert words in answer.json()["error"]["message"]


def test_a_full_queue_is_429(client):
    service = service_over(polite(slots=1), slots=1, queue=1)
    with TestClient(create_app(service), base_url="http://localhost") as small:
        service.desks["polite"].in_flight = 2
        answer = ask(small)
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert answer.json()["error"]["type"] == "rate_limit_error"
        service.desks["polite"].in_flight = 0
        assert ask(small).status_code == 200
        assert ask(small, n=3).status_code == 400, "more than can ever be taken"


def test_a_failure_of_ours_is_500_in_words(monkeypatch):
    service = service_over(polite())
    monkeypatch.setattr("linnet.serve.app.embed", lambda *given: 1 / 0)
    with TestClient(create_app(service), base_url="http://localhost", raise_server_exceptions=False) as broken:
        answer = broken.post("/v1/embeddings", json={"model": "polite", "input": "a"})
        assert (answer.status_code, answer.json()["error"]["type"]) == (500, "server_error")
        assert "division" not in answer.text


def test_metrics(client):
    ask(client)
    text = client.get("/metrics").text
    assert 'linnet_requests_total{path="/v1/chat/completions",status="200"}' in text
    assert 'linnet_engine_slots{model="polite"} 4' in text


def test_the_page_is_served_with_its_types_and_nothing_beside_it(client):
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    for address, (name, _) in PAGE.items():
        answer = client.get(address)
        assert answer.status_code == 200
        assert len(answer.content) > 200, name
        expected = next((kind for end, kind in kinds.items() if name.endswith(end)), "text/html")
        assert answer.headers["content-type"].startswith(expected)
    for wrong in ("/page/", "/page/none.js", "/page/../app.py", "/page/%2e%2e/app.py", "/docs", "/redoc"):
        assert client.get(wrong).status_code == 404


def test_no_script_of_the_page_writes_html():
    from importlib.resources import files

    for file in (files("linnet.serve") / "page").iterdir():
        text = file.read_text()
        for wrong in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http://", "https://"):
            assert wrong not in text.replace("http://www.w3.org/2000/svg", ""), f"{file.name}: {wrong}"
        assert file.name == "index.html" or "<script" not in text


def test_without_the_page():
    with TestClient(create_app(service_over(polite(), page=False)), base_url="http://localhost") as client:
        assert client.get("/").status_code == 404


def test_the_description_names_every_route(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models", "/health"} <= paths.keys()
    assert "/" not in paths


SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "calculator", "linnet")


def spoiled(generator: random.Random) -> bytes:
    """Return a body that is nearly right: fields changed, lost or added, bytes turned or cut."""
    odd = [
        None,
        True,
        -1,
        0,
        1.5,
        10**30,
        1e308,
        5e-324,
        0.01,
        "",
        "x",
        "\ud800",
        "\x00",
        [],
        [[]],
        {},
        {"a": []},
        {"sources": 3},
        {"sources": 1, "form": "plain"},
        "9" * 50,
        [1, "a"],
    ]
    body = {**CHAT, "max_tokens": 2, "n": 1, "stop": ["a"], "stream": False, "logprobs": True, "seed": 3}
    if generator.random() < 0.3:
        body = {"model": "base", "prompt": "the", "max_tokens": 2, "logprobs": 1}
    for _ in range(generator.randint(0, 3)):
        body[generator.choice([*body, *SAMPLING, "junk", "tools", "input", "text", "layer"])] = generator.choice(odd)
    if generator.random() < 0.3:
        body["messages"] = [generator.choice([*odd, {"role": generator.choice(odd), "content": generator.choice(odd)}])]
    data = bytearray(json.dumps(body).encode())
    for _ in range(generator.choice([0, 0, 0, 1, 3])):
        data[generator.randrange(len(data))] = generator.randrange(256)
    return bytes(data[: generator.choice([len(data)] * 4 + [generator.randrange(len(data))])])


@pytest.mark.parametrize("count", [150, pytest.param(10_000, marks=pytest.mark.slow)])
def test_malformed_bodies_are_never_500(count):
    generator, paths = random.Random(count), ("chat/completions", "completions", "embeddings", "linnet/attention")
    service = service_over(polite(), base(), index=documents())
    met = set()
    with TestClient(create_app(service), base_url="http://localhost") as client:
        for _ in range(count):
            path, data = generator.choice(paths), spoiled(generator)
            answer = client.post(f"/v1/{path}", content=data, headers={"Content-Type": "application/json"})
            assert answer.status_code in (200, 400, 404), (path, data, answer.text)
            met.add(answer.status_code)
            if answer.status_code != 200:
                assert answer.json()["error"]["message"]
        assert {200, 400} <= met
        assert ask(client).json()["choices"][0]["message"]["content"] == REPLY
        assert all(desk.in_flight == 0 for desk in service.desks.values())
