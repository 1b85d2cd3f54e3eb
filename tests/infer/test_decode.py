"""Texts: events join to completions, stop ids and strings end them, streaming shows nothing it takes back."""

import json

import pytest
import torch

from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import completions, generate, prompt_ids, start_id, stream
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import bpe, network

WORDS = ["the little", "bird", "", "the café"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return bpe()


@pytest.fixture(scope="module")
def model(tokenizer):
    return network(vocab_size=tokenizer.vocab_size, context_length=64)


def test_completions_hold_text_ids_and_logprobs(model, tokenizer):
    done = generate(model, tokenizer, WORDS, SamplingConfig(max_tokens=30, seed=1))
    for completion in done:
        assert completion.text == tokenizer.decode(completion.ids)
        assert len(completion.logprobs) == len(completion.ids)
        assert (completion.finish_reason == "stop") == (completion.ids[-1] == tokenizer.end_id)
    assert any(completion.finish_reason == "length" for completion in done)


def test_greedy_equals_the_argmax_of_the_whole(model, tokenizer):
    (done,) = generate(model, tokenizer, ["the bird"], SamplingConfig(temperature=0, max_tokens=12))
    line = [tokenizer.end_id, *tokenizer.encode("the bird"), *done.ids]
    with torch.no_grad():
        best = model(torch.tensor([line])).argmax(-1)[0].tolist()
    assert tuple(best[-len(done.ids) - 1 : -1]) == done.ids


def test_events_join_to_completions(model, tokenizer):
    sampling = SamplingConfig(max_tokens=20, seed=2, top_logprobs=2)
    done = generate(model, tokenizer, WORDS, sampling)
    texts, ids = [""] * len(WORDS), [[] for _ in WORDS]
    for event in stream(model, tokenizer, WORDS, sampling):
        texts[event.row] += event.text
        ids[event.row].append(event.id)
        assert len(event.top) == 2
    assert texts == [completion.text for completion in done]
    assert [tuple(row) for row in ids] == [completion.ids for completion in done]
    assert all(len(completion.top) == len(completion.ids) for completion in done)


def test_the_batch_size_changes_nothing(model, tokenizer):
    prompts = ["the"] * 5 + WORDS
    sampling = SamplingConfig(max_tokens=15, seed=4)
    whole = [completion.text for completion in generate(model, tokenizer, prompts, sampling)]
    assert len(set(whole[:5])) > 1
    for size in (1, 2, 7):
        assert [c.text for c in generate(model, tokenizer, prompts, sampling, batch_size=size)] == whole


def test_a_stop_id_ends_the_row_and_is_not_shown(model, tokenizer):
    free = generate(model, tokenizer, ["the"], SamplingConfig(max_tokens=20, seed=3), stop_ids=[])[0]
    stop = free.ids[7]
    first = free.ids.index(stop)
    done = generate(model, tokenizer, ["the"], SamplingConfig(max_tokens=20, seed=3), stop_ids=[stop])[0]
    assert done.ids == free.ids[: first + 1]
    assert done.text == tokenizer.decode(free.ids[:first])
    assert done.finish_reason == "stop"


def test_a_stop_string_ends_the_text_where_it_begins(model, tokenizer):
    free = generate(model, tokenizer, ["the"], SamplingConfig(max_tokens=30, seed=3), stop_ids=[])[0]
    stop = free.text[9:13]  # straddles tokens: nearly every letter is a token of its own
    done = generate(model, tokenizer, ["the"], SamplingConfig(max_tokens=30, seed=3, stop=(stop,)), stop_ids=[])[0]
    assert done.text == free.text[: free.text.index(stop)]
    assert done.finish_reason == "stop"
    assert len(done.ids) < len(free.ids)
    assert done.ids == free.ids[: len(done.ids)]


def test_a_begun_stop_string_is_shown_when_the_text_ends_otherwise(model, tokenizer):
    sampling = SamplingConfig(max_tokens=8, seed=3)
    free = generate(model, tokenizer, ["the"], sampling, stop_ids=[])[0]
    stop = free.text[-3:] + "never"
    events = list(stream(model, tokenizer, ["the"], sampling.but(stop=(stop,)), stop_ids=[]))
    assert "".join(event.text for event in events) == free.text
    assert len(events[-1].text) >= 3  # held back until the end
    assert events[-1].finish_reason == "length"


def test_prompts_begin_documents(tokenizer):
    end = tokenizer.end_id
    assert prompt_ids(tokenizer, "bird") == [end, *tokenizer.encode("bird")]
    assert prompt_ids(tokenizer, "bird", begin=False) == tokenizer.encode("bird")
    assert prompt_ids(tokenizer, "", begin=False) == [end]
    assert prompt_ids(tokenizer, [5, 6]) == [5, 6]
    assert start_id(Tokenizer.train_characters(["abc"], specials=("<s>", "</s>"))) == 0


def test_ids_need_no_tokenizer():
    model = network()
    done = generate(model, None, [[1, 2], [3]], SamplingConfig(max_tokens=6))
    assert [len(completion.ids) for completion in done] == [6, 6]
    assert done[0].text == ""
    with pytest.raises(BadInput, match="need a tokenizer"):
        generate(model, None, ["text"], SamplingConfig())


def test_a_prompt_longer_than_the_context_is_one_clear_line(model, tokenizer):
    with pytest.raises(BadInput, match=r"prompt 2 has \d+ tokens, the model's context 64"):
        generate(model, tokenizer, ["a", "bird " * 70], SamplingConfig())


def test_stories260k_writes_the_published_text(shared_data):
    from linnet.export.hf import import_hf

    folder = shared_data / "weights" / "stories260K"
    expected = json.loads((folder / "expected_greedy_ids.json").read_text())
    prompt, ids = expected["prompt_ids"], expected["greedy_ids"]
    done = generate(import_hf(folder), None, [prompt], SamplingConfig(temperature=0, max_tokens=len(ids)))[0]
    assert list(done.ids) == ids


def test_completions_come_in_order_and_as_soon_as_they_can(model, tokenizer):
    sampling = SamplingConfig(max_tokens=10, seed=6)
    seen = []

    def watched():
        for event in stream(model, tokenizer, WORDS, sampling, batch_size=2):
            seen.append(event.row)
            yield event

    found = completions(watched())
    first = next(found)
    assert max(seen) <= 1  # the second batch has not begun
    assert [first, *found] == generate(model, tokenizer, WORDS, sampling, batch_size=2)


def test_a_bad_prompt_is_refused_before_anything_is_written(model, tokenizer):
    with pytest.raises(BadInput):
        stream(model, tokenizer, ["a", "bird " * 70], SamplingConfig())
