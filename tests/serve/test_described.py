"""What /openapi.json says of answers holds of the real ones; and schemathesis asks what the description allows."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from linnet.serve import described
from tests.serve.material import HELLO, base, documents, live, polite, service_over

CHAT = {"model": "polite", "messages": HELLO, "temperature": 0}
ASKED = [
    ("/v1/chat/completions", CHAT, described.ChatCompletion),
    ("/v1/chat/completions", {**CHAT, "n": 2, "logprobs": True, "top_logprobs": 2}, described.ChatCompletion),
    ("/v1/chat/completions", {**CHAT, "messages": HELLO * 9, "truncation": "auto"}, described.ChatCompletion),
    ("/v1/chat/completions", {**CHAT, "model": "sums", "calculator": True, "logprobs": True}, described.ChatCompletion),
    ("/v1/chat/completions", {**CHAT, "model": "none"}, described.Error),
    ("/v1/completions", {"model": "base", "prompt": "the", "logprobs": 2, "max_tokens": 4}, described.Completion),
    ("/v1/embeddings", {"model": "base", "input": "a"}, described.Embeddings),
    ("/v1/embeddings", {"model": "base", "input": ["a", "b"], "encoding_format": "base64"}, described.Embeddings),
    ("/v1/linnet/attention", {"model": "base", "text": "the bird"}, described.Looks),
]
SEEN = [("/v1/models", described.Cards), ("/v1/models/base", described.Card), ("/health", described.Health)]
EXAMPLES = 80  # of each route
EVERY = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
NAMES = st.sampled_from(["polite", "polite", "base", "base", None])  # a model that is there, or what was drawn


@pytest.mark.parametrize(("path", "body", "shape"), ASKED)
def test_answers_are_as_described(client, path, body, shape):
    found = client.post(path, json=body).json()
    shape.model_validate(found)
    with pytest.raises(ValidationError):
        shape.model_validate({**found, "more": 1})


@pytest.mark.parametrize(("path", "shape"), SEEN)
def test_what_is_seen_is_as_described(client, path, shape):
    shape.model_validate(client.get(path).json())


def test_no_route_promises_what_is_never_answered(client):
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for operation in operations.values():
            assert not {"422", "500"} & operation["responses"].keys(), path


@pytest.mark.slow
def test_schemathesis_finds_no_server_error_and_no_answer_of_another_shape():
    schemathesis = pytest.importorskip("schemathesis", reason="SCHEMATHESIS NOT FOUND: the API is not fuzzed with it")
    from schemathesis.specs.openapi import checks

    # Which model is there, and what it was taught, is more than a schema says: what fits it may still be a 400 or 404.
    beyond = [checks.positive_data_acceptance]
    service, met = service_over(polite(context=512), base(), max_new_tokens=20, index=documents()), Counter()
    with live(service) as address:
        for found in schemathesis.openapi.from_url(f"{address}/openapi.json").get_all_operations():
            operation = found.ok()

            @seed(5)
            @settings(EVERY, max_examples=EXAMPLES)
            @given(case=operation.as_strategy(), name=NAMES)
            def ask(case, name):
                if name and isinstance(case.body, dict) and "model" in case.body:
                    case.body["model"] = name
                met[case.operation.path, case.call_and_validate(excluded_checks=beyond).status_code] += 1

            ask()
        assert all(desk.in_flight == 0 for desk in service.desks.values())
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/embeddings"):
        assert met[path, 200], met
        assert met[path, 400], met
