"""From bodies to what an engine is asked."""

from dataclasses import replace

import pytest

from linnet.serve.asking import ask_chat, ask_completion, prompt_of
from linnet.serve.bodies import ChatBody, CompletionBody
from linnet.serve.config import ServeConfig
from linnet.serve.refusals import Refused
from linnet.text.chat import Message, render, reply_ends
from tests.serve.material import HELLO, base, polite

CFG = ServeConfig(max_new_tokens=30, max_choices=4)


@pytest.fixture(scope="module")
def host():
    return polite()


def chat(**more):
    return ChatBody.model_validate({"model": "polite", "messages": HELLO, **more})


def test_a_chat_is_rendered_as_the_model_learned_it(host):
    asked = ask_chat(host, chat(n=2, seed=-1, stop="x", logprobs=True, top_logprobs=3, temperature=0.5), CFG)
    assert asked.prompts == [render(host.tokenizer, [Message("user", "hello")], reply=True).ids]
    first, second = asked.requests
    assert (first.copy, second.copy) == (0, 1)
    assert first.sampling == second.sampling
    assert (first.sampling.seed, first.sampling.stop, first.sampling.top_logprobs) == (2**32 - 1, ("x",), 3)
    assert first.stop_ids == tuple(reply_ends(host.tokenizer))
    assert first.logprobs
    assert first.sampling.max_tokens == 30
    assert not ask_chat(host, chat(), CFG).requests[0].logprobs


def test_adapter_and_guesses_are_those_of_model_and_server(host):
    one, other = replace(host, adapter="style"), CFG.but(speculative="lookup")
    plain = CompletionBody(model="polite", prompt="the")
    for asker, cfg, expected in ((host, CFG, (None, None)), (one, other, ("style", "lookup"))):
        requests = ask_chat(asker, chat(n=2), cfg).requests + ask_completion(asker, plain, cfg).requests
        assert {(request.adapter, request.speculative) for request in requests} == {expected}


def test_without_a_seed_each_request_has_its_own(host):
    seeds = {ask_chat(host, chat(), CFG).requests[0].sampling.seed for _ in range(5)}
    assert len(seeds) == 5


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"max_tokens": 31}, "gives 30"),
        ({"n": 5}, "at most 4"),
        ({"messages": [{"role": "user", "content": "x" * 200}]}, "at most 64 fit"),
        ({"messages": [{"role": "user", "content": "x" * 200}], "truncation": "auto"}, "fewer words"),
        ({"messages": [{"role": "assistant", "content": "a"}], "truncation": "auto"}, "fewer words"),
    ],
)
def test_what_is_refused(host, more, words):
    with pytest.raises(Refused, match=words) as refused:
        ask_chat(host, chat(**more), CFG)
    assert refused.value.status == 400


def test_the_oldest_messages_are_left_out_if_asked(host):
    long = [*HELLO, {"role": "assistant", "content": "the little bird"}] * 4 + HELLO
    with pytest.raises(Refused, match="shorten"):
        ask_chat(host, chat(messages=long), CFG)
    asked = ask_chat(host, chat(messages=long, truncation="auto"), CFG)
    assert asked.dropped > 0
    assert asked.dropped % 2 == 0
    assert len(asked.prompts[0]) <= 64 - 30


def test_a_model_that_does_not_chat():
    with pytest.raises(Refused, match="/v1/completions"):
        ask_chat(base(), chat(), CFG)


def test_plain_prompts(host):
    body = CompletionBody.model_validate({"model": "m", "prompt": ["the", [5, 6]], "n": 2, "logprobs": 0})
    asked = ask_completion(host, body, CFG)
    assert asked.prompts == [host.ids("the"), [5, 6]]
    assert [(request.prompt, request.copy) for request in asked.requests] == [
        (tuple(prompt), copy) for prompt in asked.prompts for copy in (0, 1)
    ]
    assert asked.requests[0].logprobs
    assert asked.requests[0].sampling.max_tokens == 16
    assert asked.requests[0].stop_ids is None


@pytest.mark.parametrize(
    ("prompt", "words"), [([], "empty"), ([10**6], "knows"), ("x" * 500, "fit"), ("\ud800", "surro")]
)
def test_prompts_that_cannot_be_read(host, prompt, words):
    with pytest.raises(Refused, match=words):
        prompt_of(host, prompt, CFG, "prompt")


def test_a_limit_of_the_server_on_prompts(host):
    with pytest.raises(Refused, match="at most 3 fit"):
        prompt_of(host, [1, 2, 3, 4], ServeConfig(max_prompt_tokens=3), "prompt")
