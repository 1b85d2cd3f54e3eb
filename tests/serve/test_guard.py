"""Names, origins, keys, sizes, headers."""

import pytest
from starlette.testclient import TestClient

from linnet.serve.app import create_app
from linnet.serve.guard import is_address, open_to_others, read_keys
from tests.serve.material import polite, service_over


@pytest.mark.parametrize("host", ["localhost:80", "LOCALHOST", "127.0.0.1", "[::1]:8000", "192.168.1.7"])
def test_addresses_and_this_machine_may_be_called(client, host):
    assert client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "[", "127.0.0.1.evil.example:80"])
def test_other_names_may_not(client, host):
    answer = client.get("/health", headers={"Host": host})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost", 200), ("https://localhost", 200), ("http://evil.example", 403), ("null", 403),
        ("http://localhost:81", 403), ("http://localhost.evil.example", 403), ("file://localhost", 403), ("[", 403),
    ],
)  # fmt: skip
def test_pages_of_others_may_not_ask(client, origin, status):
    answer = client.post("/v1/embeddings", json={"model": "polite", "input": "a"}, headers={"Origin": origin})
    assert answer.status_code == status


def test_every_answer_has_its_headers(client):
    for path in ("/", "/page/main.js", "/health", "/nothing", "/v1/models"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert client.get("/v1/models").headers["cache-control"] == "no-store"


@pytest.fixture(scope="module")
def locked():
    service = service_over(
        polite(), keys=("secret-one", "geheim-é"), allow_host=("models.example",), allow_origin=("https://a.example",),
        max_body_bytes=2000,
    )  # fmt: skip
    with TestClient(create_app(service), base_url="http://localhost") as client:
        yield client


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (None, 401), ("Bearer secret-one", 200), ("bearer secret-one", 200), ("Bearer geheim-é".encode(), 200),
        ("Bearer secret-on", 401), ("Bearer secret-one2", 401), ("Basic secret-one", 401), ("Bearer", 401), ("", 401),
    ],
)  # fmt: skip
def test_keys(locked, given, status):
    headers = {} if given is None else {"Authorization": given}
    for path in ("/v1/models", "/metrics", "/openapi.json"):
        answer = locked.get(path, headers=headers)
        assert answer.status_code == status
        if status == 401:
            assert answer.json()["error"]["code"] == "invalid_api_key"


def test_the_page_and_health_need_no_key(locked):
    for path in ("/", "/health", "/page/style.css"):
        assert locked.get(path).status_code == 200


def test_a_name_and_a_page_that_are_allowed(locked):
    assert locked.get("/health", headers={"Host": "models.example:8000"}).status_code == 200
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    before = locked.options("/v1/chat/completions", headers=asked)
    assert before.status_code == 204
    assert before.headers["access-control-allow-origin"] == "https://a.example"
    assert "Authorization" in before.headers["access-control-allow-headers"]
    assert "access-control-allow-origin" not in locked.get("/health", headers={"Origin": "http://localhost"}).headers


KEY = {"Authorization": "Bearer secret-one", "Content-Type": "application/json"}


def test_large_bodies(locked):
    for content in (b"x" * 2001, iter([b'{"a":"', b"x" * 1000, b"x" * 1000])):  # with a length, and in pieces
        answer = locked.post("/v1/embeddings", content=content, headers=KEY)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
    fits = b'{"model":"polite","input":"' + b"a" * 20 + b'"}'
    assert locked.post("/v1/embeddings", content=fits.ljust(2000), headers=KEY).status_code == 200


def test_a_draining_server_refuses_and_lets_connections_go(locked):
    service = locked.app.user_middleware[0].kwargs["service"]
    service.draining = True
    try:
        answer = locked.get("/v1/models", headers=KEY)
        assert (answer.status_code, answer.headers["connection"]) == (503, "close")
        assert answer.headers["retry-after"]
        assert locked.get("/health").json()["status"] == "draining"
    finally:
        service.draining = False


def test_small_parts():
    assert is_address("::1")
    assert is_address("fe80::1%eth0")
    assert not is_address("localhost")
    assert [open_to_others(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "10.0.0.1", "a.example")] == [
        False, False, False, True, True, True,
    ]  # fmt: skip
    assert read_keys(["# mine", " a ", "", "b"]) == ["a", "b"]
