"""Rows of anyone's data as conversations."""

import pytest

from linnet.core.errors import BadInput
from linnet.tasks.talks import talk_of

HELLO = [("user", "Hello"), ("assistant", "Hi!")]


def turns(row):
    return [(message.role, message.content) for message in talk_of(row)]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi!"}]},
        {"conversations": [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hi!"}]},
        {"conversations": [{"role": "user", "content": "Hello"}, {"from": "assistant", "value": "Hi!"}], "id": 3},
        {"instruction": "Hello", "input": "", "output": "Hi!", "text": "something else"},
        {"instruction": "Hello", "input": None, "output": "Hi!"},
        {"instruction": "Hello", "output": "Hi!"},
        {"instruction": "Hello", "input": "", "response": "Hi!"},
        {"prompt": "Hello", "response": "Hi!"},
        {"prompt": "Hello", "completion": "Hi!"},
        {"question": "Hello", "answer": "Hi!"},
        {"prompt": [{"role": "user", "content": "Hello"}], "completion": [{"role": "assistant", "content": "Hi!"}]},
        {"prompt": [{"role": "user", "content": "Hello"}], "response": "Hi!"},
    ],
)
def test_each_form_is_read(row):
    assert turns(row) == HELLO


def test_an_input_stands_below_the_instruction():
    assert turns({"instruction": "Sort.", "input": "b, a", "output": "a, b"})[0] == ("user", "Sort.\nb, a")


def test_messages_win_over_other_columns():
    row = {"prompt": "x", "response": "y", "messages": [{"role": "user", "content": "Hello"}]}
    assert turns(row) == HELLO[:1]


def test_other_names_of_roles():
    names = ("system", "human", "gpt", "function", "model", "developer")
    row = {"conversations": [{"from": name, "value": "x"} for name in names]}
    assert [role for role, _ in turns(row)] == ["system", "user", "assistant", "tool", "assistant", "system"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"text": "Hello"}, "no conversation in the columns text; there must be messages"),
        ({"messages": "Hello"}, "str where a list of messages must be"),
        ({"messages": [{"role": "user"}]}, "message 1 needs role and content"),
        ({"messages": ["Hello"]}, "message 1 needs role and content"),
        ({"messages": [{"role": "king", "content": "Hello"}]}, "message 1 has the role 'king'; there are system"),
        ({"messages": [{"role": [], "content": "Hello"}]}, "has the role"),
        ({"messages": [{"role": "user", "content": ["Hello"]}]}, "message 1 holds list, not text"),
        ({"instruction": "Hello", "output": 3}, 'column "output" holds int, not text'),
        ({"prompt": "Hello", "response": None}, 'column "response" holds NoneType, not text'),
    ],
)
def test_what_is_no_conversation_is_bad_input(row, words):
    with pytest.raises(BadInput) as error:
        talk_of(row)
    assert words in str(error.value)
