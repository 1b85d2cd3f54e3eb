"""Answers from documents: what is shown, cited, refused, and that nothing is answered that no source holds."""

import json

import pytest
from starlette.testclient import TestClient

from linnet.core.errors import BadInput
from linnet.retrieve.asking import NOT_THERE
from linnet.retrieve.folder import save_index
from linnet.serve import described
from linnet.serve.app import create_app
from linnet.serve.config import ServeConfig
from linnet.serve.sourcing import open_index
from tests.serve.material import HELLO, REPLY, base, documents, polite, service_over

QUESTION = [{"role": "user", "content": "What was quiet by the river?"}]


@pytest.fixture(scope="module")
def asked():
    """Return a client of a server with an index: one model knows the answer, one says what is nowhere written."""
    models = polite("knows", context=1024), polite("wrong", reply="mice", context=1024), polite("short"), base()
    with TestClient(create_app(service_over(*models, index=documents())), base_url="http://localhost") as client:
        yield client


def ask(client, model="knows", messages=QUESTION, path="chat/completions", more=None, **wanted):
    body = {"model": model, "messages": messages, "temperature": 0, **(more or {}), "linnet": {"sources": 2, **wanted}}
    return client.post(f"/v1/{path}", json=body)


@pytest.mark.parametrize("form", ["numbered", "plain"])
def test_an_answer_comes_with_its_sources_and_says_which_it_is_from(asked, form):
    whole = ask(asked, form=form).json()
    described.ChatCompletion.model_validate(whole)
    told, [choice] = whole["linnet"], whole["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (REPLY, "stop")
    assert (told["cited"], told["in_documents"], told["quoted"]) == ([1], True, False)
    first = told["sources"][0]
    assert (first["number"], first["document"]) == (1, "river.txt")
    assert first["text"].startswith("The café by the river")
    assert (first["start"], first["end"]) == (0, len(first["text"]))
    # All that was written counts: one reply to all sources, or one to each that is enough.
    each = len(documents().strong(documents().search(QUESTION[0]["content"], 2))) if form == "plain" else 1
    assert whole["usage"]["completion_tokens"] % each == 0
    assert whole["usage"]["prompt_tokens"] > 20


def test_what_no_source_holds_is_not_in_the_documents(asked):
    whole = ask(asked, "wrong").json()
    assert whole["choices"][0]["message"]["content"] == NOT_THERE
    assert (whole["linnet"]["cited"], whole["linnet"]["in_documents"]) == ([], False)


def test_asked_one_by_one_a_source_that_is_enough_is_quoted_instead(asked):
    whole = ask(asked, "wrong", form="plain").json()
    assert whole["choices"][0]["message"]["content"] == "The café by the river was quiet."
    assert (whole["linnet"]["cited"], whole["linnet"]["in_documents"], whole["linnet"]["quoted"]) == ([1], True, True)


def test_asked_one_by_one_only_sources_that_are_enough_are_shown(asked):
    question = [{"role": "user", "content": "What was quiet by the river, and was it old?"}]
    found = documents().search(question[0]["content"], 2)
    assert [one.document for one in found] == ["river.txt", "tree.txt"]
    one = ask(asked, messages=question, form="plain").json()
    both = ask(asked, messages=question, form="plain", anyway=True).json()
    assert [each["document"] for each in one["linnet"]["sources"]] == ["river.txt"]
    assert len(both["linnet"]["sources"]) == 2
    assert both["usage"]["prompt_tokens"] > 1.5 * one["usage"]["prompt_tokens"]


def test_weak_evidence_asks_no_model_unless_told_to(asked):
    question = [{"role": "user", "content": "Which elephants painted the little parliament of zebras?"}]
    weak = ask(asked, messages=question).json()
    assert weak["choices"][0]["message"]["content"] == NOT_THERE
    assert weak["usage"]["total_tokens"] == 0
    assert ask(asked, messages=question, anyway=True).json()["usage"]["total_tokens"] > 0


def test_a_stream_begins_with_the_sources_and_ends_with_the_citations(asked):
    text = ask(asked, more={"stream": True, "stream_options": {"include_usage": True}}).text
    assert text.endswith("data: [DONE]\n\n")
    chunks = [json.loads(part) for part in text.split("data: ") if part[:1] == "{"]
    assert chunks[0]["linnet"]["sources"][0]["document"] == "river.txt"
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks[:-1]) == REPLY
    last = chunks[-2]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["linnet"] == {"cited": [1], "in_documents": True, "quoted": False}
    assert chunks[-1]["usage"]["completion_tokens"] > 0


def test_the_conversation_before_is_not_seen_and_counted(asked):
    whole = ask(asked, messages=[*HELLO, {"role": "assistant", "content": "a"}, *QUESTION]).json()
    assert whole["linnet"]["dropped_messages"] == 2
    system = {"role": "system", "content": "be kind"}
    kept = ask(asked, messages=[system, *QUESTION]).json()
    assert "dropped_messages" not in kept["linnet"]
    assert kept["usage"]["prompt_tokens"] > whole["usage"]["prompt_tokens"]


@pytest.mark.parametrize(
    ("model", "more", "wanted", "words", "param"),
    [
        ("short", {}, {}, '"form": "plain"', "linnet.form"),
        ("base", {}, {}, "not taught to reply", "model"),
        ("knows", {"n": 2}, {}, "n is 1", "n"),
        ("knows", {"logprobs": True}, {}, "no logprobs", "logprobs"),
        ("knows", {"messages": [*QUESTION, {"role": "assistant", "content": "a"}]}, {}, "question", "messages"),
        ("knows", {}, {"by": "meaning"}, "no encoder", "linnet.by"),
        ("knows", {}, {"sources": 99}, "less than or equal to 32", "linnet.sources"),
        ("knows", {}, {"source": 1}, "unknown field", "linnet.source"),
    ],
)
def test_what_cannot_be_answered_so_is_refused_in_words(asked, model, more, wanted, words, param):
    answer = ask(asked, model, more=more, **wanted)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]
    assert answer.json()["error"]["param"] == param


def test_no_sources_asked_for_is_a_plain_chat_and_models_say_what_there_is(asked, client):
    assert "linnet" not in ask(asked, sources=0).json()
    counts = {card["id"]: card["linnet"]["documents"] for card in asked.get("/v1/models").json()["data"]}
    assert counts == {"knows": 3, "wrong": 3, "short": 3, "base": 0}
    refused = ask(client, "polite")
    assert refused.status_code == 400
    assert "--index" in refused.json()["error"]["message"]


def test_an_index_that_is_missing_or_foreign_is_one_clear_line(tmp_path):
    assert open_index(ServeConfig()) is None
    with pytest.raises(BadInput, match=r"no index .index\.json is missing"):
        open_index(ServeConfig(index=tmp_path))
    save_index(documents(), tmp_path / "index")
    assert len(open_index(ServeConfig(index=tmp_path / "index")).entries) == 3
    (tmp_path / "index" / "words.json").write_text("[]")
    with pytest.raises(BadInput, match="damaged"):
        open_index(ServeConfig(index=tmp_path / "index"))
