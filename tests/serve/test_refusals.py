"""Errors in OpenAI's shape."""

import json

import pytest
from pydantic import ValidationError

from linnet.serve.bodies import ChatBody
from linnet.serve.refusals import Refused, as_json, error_body, malformed

GOOD = {"model": "m", "messages": [{"role": "user", "content": "a"}]}


def refusal(body) -> Refused:
    with pytest.raises(ValidationError) as error:
        ChatBody.model_validate(body)
    return malformed(error.value.errors())


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (429, "rate_limit_error"), (503, "server_error")],
)
def test_the_type_follows_from_the_status(status, kind):
    refused = Refused(status, "a\n b", param="p", code="c", retry_after=7)
    assert refused.body() == {"error": {"message": "a b", "type": kind, "param": "p", "code": "c"}}
    response = refused.response()
    assert (response.status_code, response.headers["Retry-After"]) == (status, "7")


def test_long_words_are_cut_and_surrogates_survive():
    assert len(error_body(400, "x" * 10_000)["error"]["message"]) < 600
    assert json.loads(as_json({"a": "\ud800é"}).body) == {"a": "\ud800é"}


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"temperature": "1"}, "temperature"),
        ({"stop": 3}, "stop"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content"),
        ({"tools": [1]}, "tools"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": "a", "name": "b"}]}, "messages.0.name"),
    ],
)
def test_the_param_is_a_field_that_the_client_sent(wrong, param):
    found = refusal({**GOOD, **wrong})
    assert found.param is not None
    assert found.param == param or found.param.startswith(f"{param}.")
    assert "constrained" not in found.detail


def test_the_whole_body():
    missing = {"type": "missing", "loc": ("body",), "msg": "Field required"}
    assert malformed([missing]).detail == "the body must be a JSON object"
    assert malformed([missing], "text/plain").detail == "send Content-Type: application/json"
    broken = {"type": "json_invalid", "loc": ("body", 3), "msg": "JSON decode error", "ctx": {"error": "Expecting"}}
    assert malformed([broken]).detail == "the body is not JSON: Expecting"
