"""Guessing ahead changes no greedy token and no distribution, and keeps what is right."""

import random
from collections import Counter
from itertools import product

import pytest
import torch
from scipy.stats import chisquare

from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import stream
from linnet.infer.speculative import (
    FIRST_SHARES,
    Guesses,
    PromptLookup,
    Shares,
    Tally,
    distributions,
    judge,
    plan,
    speculate,
)
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
@pytest.mark.parametrize(("by", "texts"), [("look-up", 2500), ("model", 2000)])
def test_pairs_of_tokens_have_the_models_distribution(by, texts):
    model = network(vocab_size=6, context_length=16).double()
    draft = PromptLookup() if by == "look-up" else network(vocab_size=6, context_length=16, seed=9).double()
    sampling, prompt = SamplingConfig(max_tokens=3, temperature=1.3, top_k=4), [1, 2, 1, 2, 1]
    seen: Counter[tuple[int, ...]] = Counter()
    for seed in range(texts):
        seen[tuple(said(model, prompt, sampling.but(seed=seed), draft, ahead=2))[:2]] += 1
    expected = {}
    with torch.no_grad():
        firsts = distributions(model(torch.tensor([prompt]))[0, -1:], sampling, prompt, [])[0]
        for a, b in product(range(6), repeat=2):
            after = distributions(model(torch.tensor([[*prompt, a]]))[0, -1:], sampling, prompt, [])[0]
            expected[a, b] = float(firsts[a] * after[b])
    likely = [pair for pair in expected if expected[pair] > 1e-3]
    assert sum(seen[pair] for pair in likely) > 0.98 * texts
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


def test_look_up_remembers_a_text_that_grows_and_forgets_one_that_does_not():
    dice, again = random.Random(3), PromptLookup()
    ids = [dice.randrange(4) for _ in range(60)]
    for end in [*range(1, 60), 7, 30, 29]:  # it grows, and is then another, or shorter
        assert again.find(ids[:end]) == PromptLookup().find(ids[:end])
        place, length = again.find(ids[:end])
        assert ids[place - length : place] == ids[end - length : end]
        assert place < end or length == 0


def test_what_is_kept_is_learned_for_the_text_and_for_all():
    common = Shares()
    one = Guesses(common)
    text = [1, 2, 3, 1, 2, 3, 1, 2]
    guessed, first = one.guess(text)
    assert (guessed, first) == ([3, 1, 2], FIRST_SHARES[3])
    for _ in range(20):
        one.learn(3, 0)
    ids, lower = one.guess(text)
    assert ids == guessed
    assert lower < 0.2 * first
    assert lower < Guesses(common).guess(text)[1] < first  # the others have heard of it
    for _ in range(20):
        one.learn(3, 3)
    assert one.guess(text)[1] > 0.9
    assert Guesses(common).guess([4, 5, 6]) == ([], 0.0)
    bored = Guesses(common)
    for _ in range(400):
        bored.learn(*(1, 0) if bored.guess(text)[1] > 0.3 else (0, 0))
    assert bored.guess(text)[1] > 0.2  # what did not pay is tried again


@pytest.mark.parametrize(
    ("guesses", "fixed", "lengths", "together"),
    [
        ([(0, 0.0), (0, 0.0)], 32, [0, 0], True),
        ([(4, 0.9)], 32, [4], True),
        ([(8, 0.02)], 32, [0], True),  # 1 / 34 of a pass for a chance of 1 / 50
        ([(8, 0.9), *[(0, 0.0)] * 40], 32, [0] * 41, True),  # a pass more for one text of 41
        ([(8, 0.99), (0, 0.0)] * 16, 1, [8, 0] * 16, False),
        ([(8, 0.99), (2, 0.99), (0, 0.0), (0, 0.0)], 999, [8, 2, 0, 0], True),
    ],
)
def test_as_many_guesses_as_pay(guesses, fixed, lengths, together):
    assert plan(guesses, fixed) == (lengths, together)


def test_without_padding_each_guess_is_weighed_alone():
    assert plan([(3, 0.9), (3, 0.1), (0, 0.0)], 10, ragged=True) == ([3, 0, 0], True)
    assert plan([(8, 0.5)], 10, ragged=True)[0] == [1]  # 1, 0.5, 0.25 and so on, for 12 tokens and four more each
    assert plan([(0, 0.0)], 10, ragged=True) == ([0], True)


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
