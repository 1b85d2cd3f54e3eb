"""Writing with an encoder-decoder: greedy by hand, company changes nothing, draws by seed, beams by exhaustion."""

import itertools

import pytest
import torch

from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.targets import beam_targets, source_rows, write_targets
from linnet.text.tokenizer import Tokenizer
from tests.model.two_sided import TWO_SIDES, made

TOKENIZER = Tokenizer.train_characters(["abcde"])
GREEDY = SamplingConfig(temperature=0, max_tokens=12)
SOURCES = ["abc", "e", "abcabcabc", "", "edcba"]


@pytest.fixture(scope="module")
def model():
    return made("encoder_decoder", **{**TWO_SIDES["sinusoidal"], "vocab_size": TOKENIZER.vocab_size})


@torch.no_grad()
def by_hand(model, source: str) -> list[int]:
    """Write greedily with whole passes over everything."""
    end, ids = TOKENIZER.end_id, []
    rows = torch.tensor([[*TOKENIZER.encode(source), end]])
    while len(ids) < GREEDY.max_tokens and end not in ids:
        ids.append(int(model(rows, torch.tensor([[end, *ids]]))[0, -1].argmax()))
    return ids


def test_greedy_is_the_likeliest_token_again_and_again_alone_or_among_others(model):
    found = write_targets(model, TOKENIZER, SOURCES, GREEDY)
    assert [list(one.ids) for one in found] == [by_hand(model, source) for source in SOURCES]
    assert len({one.logprobs[0] for one in found}) == len(SOURCES)  # it reads its sources
    for one in found:
        assert one.finish_reason == ("stop" if one.ids[-1] == TOKENIZER.end_id else "length")
        assert one.text == TOKENIZER.decode(one.ids)
    assert [one.ids for one in write_targets(model, TOKENIZER, SOURCES, GREEDY, batch_size=2)] == [
        one.ids for one in found
    ]


def test_draws_depend_on_seed_source_and_copy_alone(model):
    drawn = SamplingConfig(max_tokens=12, seed=1)
    several = write_targets(model, TOKENIZER, [*SOURCES, "abc"], drawn)
    assert write_targets(model, TOKENIZER, ["abc"], drawn)[0].ids == several[0].ids
    assert several[5].ids != several[0].ids
    assert write_targets(model, TOKENIZER, ["abc"], drawn.but(seed=2))[0].ids != several[0].ids
    assert model.training is False


@torch.no_grad()
def test_beams_are_the_likeliest_of_all(model):
    source, end = "ab", TOKENIZER.end_id
    rows = torch.tensor([source_rows(model, TOKENIZER, [source])[0]])
    scores = {}
    for ids in itertools.product(range(TOKENIZER.vocab_size), repeat=2):
        ids = ids[: ids.index(end) + 1] if end in ids else ids
        logprobs = model(rows, torch.tensor([[end, *ids[:-1]]])).log_softmax(-1)[0]
        scores[ids] = sum(float(logprobs[place, id]) for place, id in enumerate(ids))
    expected = sorted(scores, key=scores.__getitem__, reverse=True)[:3]
    found = beam_targets(model, TOKENIZER, source, width=TOKENIZER.vocab_size, max_tokens=2, length_penalty=0.0)
    assert [one.ids for one in found[:3]] == expected
    assert found[0].logprob == pytest.approx(scores[expected[0]], abs=1e-4)


def test_what_cannot_be_done_is_refused(model):
    with pytest.raises(BadInput, match="a source has 41 tokens"):
        write_targets(model, TOKENIZER, ["a" * 40], GREEDY)
    with pytest.raises(BadInput, match="not for an encoder-decoder"):
        write_targets(model, TOKENIZER, ["a"], GREEDY.but(stop=("b",)))
