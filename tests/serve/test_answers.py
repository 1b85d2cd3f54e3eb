"""Replies in OpenAI's shape, whole and in chunks."""

import pytest

from linnet.infer.requests import Event
from linnet.serve.answers import LEAST, ChatAnswer, CompletionAnswer
from linnet.serve.asking import ask_chat, ask_completion
from linnet.serve.bodies import ChatBody, CompletionBody
from linnet.serve.config import ServeConfig
from linnet.text.chat import stop_id
from tests.serve.material import HELLO, REPLY, polite

CFG = ServeConfig()


@pytest.fixture(scope="module")
def host():
    return polite()


def events(host):
    """Return the events of a reply in which é comes in two halves."""
    ids, found = [*host.tokenizer.encode(REPLY), stop_id(host.tokenizer)], []
    decoder = host.tokenizer.stream()
    for id in ids:
        last = id == ids[-1]
        text = "" if last else decoder.push(id)
        found.append(Event(1, id, text, -0.5, ((id, -0.5), (7, float("-inf"))), "stop" if last else None))
    return found


def test_a_whole_chat(host):
    asked = ask_chat(host, ChatBody(model="m", messages=HELLO, logprobs=True, top_logprobs=2), CFG)
    answer = ChatAnswer(host, asked)
    for event in events(host):
        answer.add(0, event)
    whole = answer.whole()
    assert whole["object"] == "chat.completion"
    [choice] = whole["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (REPLY, "stop")
    told = choice["logprobs"]["content"]
    assert b"".join(bytes(one["bytes"]) for one in told) == REPLY.encode(), "the token that ends the reply is not told"
    assert told[0]["top_logprobs"][1]["logprob"] == LEAST
    assert whole["usage"]["completion_tokens"] == len(told) + 1
    assert whole["usage"]["prompt_tokens"] == len(asked.prompts[0])


def test_chunks_joined_are_the_whole(host):
    asked = ask_chat(host, ChatBody(model="m", messages=HELLO), CFG)
    answer = ChatAnswer(host, asked, usage_wanted=True)
    chunks = [*answer.opening()]
    for event in events(host):
        chunks += answer.chunks([(0, event)])
    chunks += answer.closing()
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks[:-1])
    assert text == REPLY
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[1:-1]] == [None] * (len(chunks) - 3) + ["stop"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == answer.usage()
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert all(len(chunk["choices"][0]["delta"].get("content", "x")) for chunk in chunks[1:-1]), "no empty chunks"


def test_what_was_said_meanwhile_stands_in_one_chunk_a_choice(host):
    asked = ask_completion(host, CompletionBody(model="m", prompt="the", n=2, logprobs=2), CFG)
    one_by_one, together = CompletionAnswer(host, asked), CompletionAnswer(host, asked)
    heard = [(choice, event) for event in events(host) for choice in (0, 1)]
    pieces = [chunk["choices"][0] for one in heard for chunk in one_by_one.chunks([one])]
    said = [chunk["choices"][0] for chunk in together.chunks(heard)]
    assert [(piece["index"], piece["finish_reason"]) for piece in said] == [
        (0, None),
        (0, "stop"),
        (1, None),
        (1, "stop"),
    ]
    assert said[0]["text"] == REPLY
    assert together.whole()["choices"] == one_by_one.whole()["choices"]
    for field in ("tokens", "token_logprobs", "text_offset"):
        parts = [piece["logprobs"][field] for piece in pieces if piece["index"] == 0 and piece["logprobs"]]
        assert said[0]["logprobs"][field] == [one for part in parts for one in part]


def test_plain_completions_list_their_tokens(host):
    asked = ask_completion(host, CompletionBody(model="m", prompt="the", logprobs=2), CFG)
    answer = CompletionAnswer(host, asked)
    pieces = [chunk for event in events(host) for chunk in answer.chunks([(0, event)])]
    [choice] = answer.whole()["choices"]
    assert choice["text"] == REPLY == "".join(piece["choices"][0]["text"] for piece in pieces)
    told = choice["logprobs"]
    assert len(told["tokens"]) == len(told["token_logprobs"]) == len(told["top_logprobs"]) == len(told["text_offset"])
    assert told["text_offset"] == sorted(told["text_offset"])
    assert told["text_offset"][0] == 0


def test_what_the_calculator_put_in_is_marked(host):
    asked = ask_chat(host, ChatBody(model="m", messages=HELLO, logprobs=True), CFG)
    answer = ChatAnswer(host, asked)
    [entry] = answer.add(0, Event(1, 9, "x", 0.0, (), None, given=True))
    assert entry["given"] is True
