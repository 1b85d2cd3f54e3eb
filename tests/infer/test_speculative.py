"""Guessing ahead changes no greedy token and no distribution, and keeps what is right."""

from collections import Counter
from itertools import product

import pytest
import torch
from scipy.stats import chisquare

from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import stream
from linnet.infer.speculative import PromptLookup, Tally, distributions, judge, speculate
from tests.infer.networks import bpe, network

KINDS = {
    "ours": {},
    "gpt2": {"positions": "learned", "norm": "layer", "norm_gain": True, "activation": "gelu", "attention_bias": True},
    "window_ngrams": {"window": 5, "ngram_buckets": 31},
}
PROMPT = [1, 2, 3, 1, 2, 3, 1, 2]


def said(model, prompt: list[int], sampling: SamplingConfig, draft, **more) -> list[int]:
    return [event.id for event in speculate(model, None, prompt, sampling, draft, **more)]


def plain(model, prompt: list[int], sampling: SamplingConfig, **more) -> list[int]:
    return [event.id for event in stream(model, None, [prompt], sampling, **more)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("penalty", [1.0, 1.2])
def test_greedy_tokens_are_those_of_plain_decoding(kind, penalty):
    model, near = network(**KINDS[kind]).double(), network(**KINDS[kind]).double()
    with torch.no_grad():  # a draft that is right now and then
        near.head.weight.mul_(1 + torch.randn(near.head.weight.shape, generator=torch.Generator().manual_seed(1)))
    sampling = SamplingConfig(temperature=0, max_tokens=40, repetition_penalty=penalty)
    expected = plain(model, PROMPT, sampling)
    assert said(model, PROMPT, sampling, PromptLookup()) == expected
    tally = Tally()
    assert said(model, PROMPT, sampling, near, ahead=3, tally=tally) == expected
    assert 0 < tally.kept < tally.guessed
    assert tally.passes + tally.kept == len(expected)


def test_a_draft_that_is_the_model_is_always_kept():
    model, tally = network().double(), Tally()
    sampling = SamplingConfig(max_tokens=13, top_k=6, temperature=0.7)
    assert len(said(model, [1, 2], sampling, model, ahead=3, tally=tally)) == 13
    assert (tally.passes, tally.guessed, tally.kept) == (4, 9, 9)  # 4 + 4 + 4 + 1


def counted(drawn: list[int], expected: torch.Tensor) -> float:
    """Return the p-value of draws from a distribution [V]."""
    counts = torch.bincount(torch.tensor(drawn), minlength=len(expected)).double()
    return float(chisquare(counts, expected / expected.sum() * len(drawn)).pvalue)


@pytest.mark.parametrize("certain", [True, False])
def test_what_is_judged_has_the_wanted_distribution(certain):
    wanted = torch.tensor([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]], dtype=torch.float64)
    drawn_from = torch.tensor([[0.1, 0.25, 0.25, 0.4]], dtype=torch.float64)
    dice = torch.Generator().manual_seed(7)
    first, second = [], []
    for _ in range(4000):
        guess = 3 if certain else int(torch.multinomial(drawn_from[0], 1, generator=dice))
        ids = judge([guess], None if certain else drawn_from, wanted, dice)
        first.append(ids[0])
        second += ids[1:]
    assert counted(first, wanted[0]) > 0.01
    assert counted(second, wanted[1]) > 0.01
    assert len(second) == pytest.approx(4000 * (0.1 if certain else 0.7), rel=0.1)  # 1 - distance of p and q


@pytest.mark.slow
@pytest.mark.parametrize("by", ["look-up", "model"])
def test_pairs_of_tokens_have_the_models_distribution(by):
    model = network(vocab_size=6, context_length=16).double()
    draft = PromptLookup() if by == "look-up" else network(vocab_size=6, context_length=16, seed=9).double()
    sampling, prompt = SamplingConfig(max_tokens=3, temperature=1.3, top_k=4), [1, 2, 1, 2, 1]
    seen: Counter[tuple[int, ...]] = Counter()
    for seed in range(6000):
        seen[tuple(said(model, prompt, sampling.but(seed=seed), draft, ahead=2))[:2]] += 1
    expected = {}
    with torch.no_grad():
        firsts = distributions(model(torch.tensor([prompt]))[0, -1:], sampling, prompt, [])[0]
        for a, b in product(range(6), repeat=2):
            after = distributions(model(torch.tensor([[*prompt, a]]))[0, -1:], sampling, prompt, [])[0]
            expected[a, b] = float(firsts[a] * after[b])
    likely = [pair for pair in expected if expected[pair] > 1e-3]
    assert sum(seen[pair] for pair in likely) > 5900
    observed = [seen[pair] for pair in likely]
    whole = sum(expected[pair] for pair in likely)
    assert chisquare(observed, [expected[pair] / whole * sum(observed) for pair in likely]).pvalue > 0.01
    assert not any(seen[pair] for pair in expected if expected[pair] == 0)


def test_look_up_finds_the_latest_and_longest_place():
    dice = torch.Generator()
    assert PromptLookup().guess([7, 8, 1, 7, 8, 2, 5, 7, 8], 2, dice) == ([2, 5], None)
    assert PromptLookup().guess([1, 2, 3, 9, 4, 3, 8, 1, 2, 3], 3, dice) == ([9, 4, 3], None)
    assert PromptLookup().guess([1, 2, 3], 2, dice) == ([], None)
    assert PromptLookup().guess([3, 3], 4, dice) == ([3], None)


def test_texts_stop_as_those_of_generate():
    tokenizer = bpe()
    model = network(vocab_size=tokenizer.vocab_size, spread=0.3).double()
    sampling = SamplingConfig(temperature=0, max_tokens=25, stop=("e",), top_logprobs=2)
    ours = list(speculate(model, tokenizer, "the little bird", sampling, PromptLookup()))
    theirs = list(stream(model, tokenizer, ["the little bird"], sampling))
    assert [(e.id, e.text, e.finish_reason) for e in ours] == [(e.id, e.text, e.finish_reason) for e in theirs]
    assert [e.logprob for e in ours] == pytest.approx([e.logprob for e in theirs], abs=1e-5)


def test_what_does_not_go_together_is_refused():
    model = network()
    for draft, sampling, prompt, word in (
        (network(vocab_size=29), SamplingConfig(), [1], "29 ids, the model 23"),
        (PromptLookup(), SamplingConfig(calculator=True), [1], "calculator"),
        (PromptLookup(), SamplingConfig(stop=("a",)), [1], "tokenizer"),
        (PromptLookup(), SamplingConfig(), [], "empty"),
    ):
        with pytest.raises(BadInput, match=word):
            speculate(model, None, prompt, sampling, draft)
