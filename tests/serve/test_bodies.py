"""What may be asked: exact types, nothing ignored that would change the answer."""

import pytest
from pydantic import ValidationError

from linnet.serve.bodies import AttentionBody, ChatBody, CompletionBody, EmbeddingBody

HELLO = [{"role": "user", "content": "hello"}]


def chat(**more):
    return ChatBody.model_validate({"model": "m", "messages": HELLO, **more})


def said(error) -> str:
    return str(error.value.errors()[0]["msg"])


@pytest.mark.parametrize(
    "idle", [{"user": "me"}, {"metadata": {"a": "b"}}, {"tools": None}, {"tools": []}, {"tool_choice": "none"},
             {"presence_penalty": 0}, {"response_format": {"type": "text"}}, {"store": False}, {"nonsense": None}],
    ids=str,
)  # fmt: skip
def test_fields_that_ask_for_nothing_are_taken(idle):
    assert chat(**idle) == chat()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"tools": [{"type": "function"}]}, "`calculator: true`"),
        ({"presence_penalty": 0.5}, "use repetition_penalty"),
        ({"presence_penalty": False}, "not supported"),
        ({"response_format": {"type": "json_object"}}, "replies are text"),
        ({"store": True}, "nothing is stored"),
        ({"temprature": 1}, 'Did you mean "temperature"?'),
        ({"stop": ["a", ""]}, "empty stop"),
        ({"top_logprobs": 3}, "needs logprobs"),
        ({"max_tokens": 3, "max_completion_tokens": 4}, "give one"),
        ({"temperature": "1"}, "valid number"),
        ({"temperature": float("nan")}, "finite"),
        ({"n": True}, "valid integer"),
        ({"n": 0}, "greater than or equal to 1"),
        ({"stream": 1}, "valid boolean"),
        ({"messages": []}, "at least 1"),
        ({"messages": [{"role": "robot", "content": "a"}]}, "'system'"),
        ({"messages": [{"role": "user"}]}, "required"),
        ({"messages": [{"role": "user", "content": "a", "name": "bob"}]}, "unknown field 'name'"),
        ({"messages": [{"role": "assistant", "content": "a", "tool_calls": [1]}]}, "nothing is called"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_in_words(wrong, words):
    with pytest.raises(ValidationError) as error:
        chat(**wrong)
    assert words in said(error)


def test_parts_of_text_are_one_text():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert chat(messages=[{"role": "user", "content": parts}]).messages[0].text == "ab"


def test_a_message_that_a_client_sends_back_is_taken():
    mine = {"role": "assistant", "content": "a", "refusal": None, "tool_calls": None, "annotations": []}
    assert chat(messages=[mine, *HELLO]).messages[0].text == "a"


def test_stops_and_limits():
    assert chat(stop="a").stops == ("a",)
    assert chat(stop=["a", "b"]).stops == ("a", "b")
    assert chat(max_completion_tokens=7).most == 7
    assert chat().most is None
    assert CompletionBody(model="m").most == 16


@pytest.mark.parametrize(
    ("given", "texts"),
    [("a", ["a"]), (["a", "b"], ["a", "b"]), ([1, 2], [[1, 2]]), ([[1], "b"], [[1], "b"]), ([], [[]])],
)
def test_one_text_or_many(given, texts):
    assert EmbeddingBody.model_validate({"model": "m", "input": given}).texts == texts
    if given:
        assert CompletionBody.model_validate({"model": "m", "prompt": given}).prompts == texts


def test_attention_takes_one_of_both():
    for wrong in ({}, {"text": "a", "messages": HELLO}):
        with pytest.raises(ValidationError, match="messages or a text"):
            AttentionBody.model_validate({"model": "m", **wrong})
