"""Turns: the text of both grows, each turn is another, and a long text never outgrows the context."""

import pytest

from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.infer.turns import Turns
from tests.infer.networks import bpe, network


@pytest.fixture(scope="module")
def tokenizer():
    return bpe()


@pytest.fixture(scope="module")
def model(tokenizer):
    return network(vocab_size=tokenizer.vocab_size, context_length=24)


def test_the_first_turn_is_a_completion_and_the_next_goes_on(model, tokenizer):
    sampling = SamplingConfig(max_tokens=5, seed=4)
    turns = Turns(model, tokenizer, sampling)
    said = "".join(turns.write("the"))
    first = generate(model, tokenizer, ["the"], sampling)[0]
    assert said == first.text
    assert first.finish_reason == "length"
    assert turns.text == "the" + said
    more = "".join(turns.write(" bird"))
    assert turns.text in ("the" + said + " bird" + more, "")


def test_going_on_twice_from_the_same_text_gives_two_texts(model, tokenizer):
    turns = Turns(model, tokenizer, SamplingConfig(max_tokens=5))
    texts = set()
    for _ in range(3):
        turns.text = "the bird"
        texts.add("".join(turns.write("")))
    assert len(texts) == 3


def test_a_long_text_stays_within_the_context(model, tokenizer):
    turns = Turns(model, tokenizer, SamplingConfig(max_tokens=10))
    for _ in range(8):
        turns.text += "the bird sang. "
        assert 0 < len(list(turns.write("and"))) <= 10


def test_the_text_starts_anew_after_the_end(tokenizer):
    import torch

    model = network(vocab_size=tokenizer.vocab_size)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.weight[tokenizer.end_id] = 5 * torch.randn(16, generator=torch.Generator().manual_seed(1))
    turns = Turns(model, tokenizer, SamplingConfig(max_tokens=400, temperature=0.2))
    for _ in range(20):
        "".join(turns.write("a"))
        if not turns.text:
            return
    raise AssertionError("the model never ended its text")
