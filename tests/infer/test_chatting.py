"""Talking: replies end at the turn's end, the history is what was said, the oldest turns leave a full context."""

import pytest

from linnet.core.errors import BadInput
from linnet.infer.chatting import Chat, replies
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.text.chat import Message, render, reply_ends, stop_id
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import bpe, chain, network

GREEDY = SamplingConfig(temperature=0, max_tokens=20)


@pytest.fixture(scope="module")
def tokenizer():
    return bpe()


@pytest.fixture(scope="module")
def polite(tokenizer):
    """Return a model that answers everything with a café in two bytes."""
    breaks = tokenizer.encode("\n")
    return chain(tokenizer, [*breaks, *tokenizer.encode("café"), stop_id(tokenizer)])


@pytest.fixture(scope="module")
def random(tokenizer):
    return network(vocab_size=tokenizer.vocab_size, context_length=64)


def test_a_reply_ends_at_the_end_of_the_turn(polite, tokenizer):
    talks = [[Message("user", "hello")], [Message("user", "quiet"), Message("assistant", "mia"), Message("user", "a")]]
    found = replies(polite, tokenizer, talks, GREEDY)
    assert [one.text for one in found] == ["café", "café"]
    assert [one.finish_reason for one in found] == ["stop", "stop"]
    assert found[0].ids[-1] == stop_id(tokenizer)
    assert reply_ends(tokenizer) == [stop_id(tokenizer), tokenizer.end_id]
    assert reply_ends(Tokenizer.train_characters(["a"], specials=("<|im_start|>", "<|im_end|>"))) == [1]


def test_a_talk_is_streamed_and_remembered(polite, tokenizer):
    chat = Chat(polite, tokenizer, GREEDY, system="quiet")
    pieces = list(chat.say("hello"))
    assert "".join(pieces) == "café"
    assert all("\N{REPLACEMENT CHARACTER}" not in piece for piece in pieces)
    assert len([piece for piece in pieces if piece]) > 1
    assert chat.messages == [Message("user", "hello"), Message("assistant", "café")]
    "".join(chat.say("more"))
    assert [message.content for message in chat.messages] == ["hello", "café", "more", "café"]
    chat.reset()
    assert (chat.messages, chat.system, chat.dropped) == ([], "quiet", 0)


def test_the_model_reads_system_and_history(random, tokenizer):
    sampling = SamplingConfig(max_tokens=6, seed=3)
    chat = Chat(random, tokenizer, sampling, system="mia")
    first = "".join(chat.say("a"))
    second = "".join(chat.say("b"))
    talk = [Message("system", "mia"), Message("user", "a")]
    [alone] = replies(random, tokenizer, [talk], sampling)
    assert first == alone.text
    talk += [Message("assistant", first), Message("user", "b")]
    [alone] = replies(random, tokenizer, [talk], sampling.but(seed=4))
    assert second == alone.text


def test_asking_again_gives_another_reply(random, tokenizer):
    said = set()
    chat = Chat(random, tokenizer, SamplingConfig(max_tokens=6))
    for _ in range(3):
        chat.reset()
        said.add("".join(chat.say("the bird")))
    assert len(said) == 3


def test_a_full_context_drops_the_oldest_turns_and_keeps_the_system(polite, tokenizer, monkeypatch):
    from linnet.infer import chatting

    seen, real = [], chatting.stream

    def watched(model, tokens, prompts, *rest, **named):
        seen.append(tokenizer.decode(prompts[0], specials=True))
        return real(model, tokens, prompts, *rest, **named)

    monkeypatch.setattr(chatting, "stream", watched)
    chat = Chat(polite, tokenizer, SamplingConfig(temperature=0, max_tokens=8), system="S")
    dropped = []
    for number in range(5):
        assert "".join(chat.say(f"q{number}")) == "café"
        dropped.append(chat.dropped)
    assert dropped[0] == 0
    assert dropped == sorted(dropped)
    assert dropped[-1] > 0
    assert all(count % 2 == 0 for count in dropped), "a conversation begins with a question"
    assert all(prompt.startswith("<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nq") for prompt in seen)
    assert all(prompt.endswith(f"q{number}<|im_end|>\n<|im_start|>assistant\n") for number, prompt in enumerate(seen))
    assert len(chat.messages) == 10, "all of it is remembered"
    assert max(len(render(tokenizer, [], True).ids) for _ in seen) < 56


def test_a_conversation_never_begins_with_a_reply(polite, tokenizer):
    chat = Chat(polite, tokenizer, SamplingConfig(temperature=0, max_tokens=8))
    chat.messages = [Message("user", "x" * 36), Message("assistant", "a")]
    "".join(chat.say("b"))
    assert chat.dropped == 2, "without the first question there would be room for its reply"


def test_there_is_always_room_for_a_reply(polite, tokenizer):
    chat = Chat(polite, tokenizer, SamplingConfig(temperature=0, max_tokens=4000))
    assert "".join(chat.say("hello")) == "café"


def test_a_message_too_long_is_refused_and_forgotten(polite, tokenizer):
    chat = Chat(polite, tokenizer, GREEDY)
    "".join(chat.say("hello"))
    with pytest.raises(BadInput, match=r"takes 3[0-9]{2} tokens .* there is room for 44; say it in fewer words"):
        chat.say("x" * 300)
    assert len(chat.messages) == 2
    assert "".join(chat.say("hello")) == "café"


def test_a_reply_broken_off_stays_as_far_as_it_came(random, tokenizer):
    chat = Chat(random, tokenizer, SamplingConfig(max_tokens=20, seed=1))
    pieces = chat.say("hello")
    said = next(pieces) + next(pieces)
    pieces.close()
    assert chat.messages[-1] == Message("assistant", said)


def test_special_tokens_in_a_message_are_text(polite, tokenizer):
    chat = Chat(polite, tokenizer, SamplingConfig(temperature=0, max_tokens=8))
    "".join(chat.say("<|im_end|>"))
    prompt = render(tokenizer, chat.messages[:1], reply=True).ids
    assert prompt.count(stop_id(tokenizer)) == 1
    assert generate(polite, tokenizer, [prompt], GREEDY, stop_ids=reply_ends(tokenizer))[0].text == "café"
