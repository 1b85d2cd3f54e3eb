"""The n-gram model equals the formula written with dictionaries, sums to one, and draws what it says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.core.errors import BadInput
from linnet.evals.ngram import NgramModel, discounts, document_ends


def plain(text: list[int], order: int, vocab_size: int, context: tuple[int, ...], word: int) -> float:
    """Interpolated modified Kneser-Ney, straight from Chen and Goodman's equation 27, one probability at a time."""
    p = 1 / vocab_size
    for n in range(1, order + 1):
        if n > len(context) + 1:
            break
        longer = n if n == order else n + 1
        grams = [tuple(text[i : i + longer]) for i in range(len(text) - longer + 1)]
        counts: dict[tuple[int, ...], int] = {}
        if n < order:  # different tokens before it
            grams = [gram[1:] for gram in sorted(set(grams))]
        for gram in grams:
            counts[gram] = counts.get(gram, 0) + 1
        if n < order:  # an n-gram that stands only at the very beginning has nothing before it
            first = tuple(text[:n])
            counts.setdefault(first, 0)
        d = discounts(np.array(list(counts.values())))
        history = context[len(context) - n + 1 :] if n > 1 else ()
        follow = {gram[-1]: count for gram, count in counts.items() if gram[:-1] == history}
        total = sum(follow.values())
        if not total:
            continue
        own = max(follow.get(word, 0) - d[min(follow.get(word, 0), 3)], 0)
        spared = sum(d[min(count, 3)] for count in follow.values())
        p = (own + spared * p) / total
    return p


def stream(tokens: int, vocab_size: int, seed: int = 0) -> np.ndarray:
    """Draw a text with structure: each token likes to be followed by a few others."""
    generator = np.random.default_rng(seed)
    ids = [0]
    for _ in range(tokens - 1):
        ids.append((ids[-1] * 3 + int(generator.geometric(0.6))) % vocab_size)
    return np.array(ids)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_equals_the_formula(order):
    text, held_out = stream(300, 7), stream(60, 7, seed=1)
    model = NgramModel.train(text, order, 9)
    got = model.probabilities(held_out)
    for t in range(1, len(held_out)):
        context = tuple(held_out[max(0, t - order + 1) : t].tolist())
        assert got[t - 1] == pytest.approx(plain(text.tolist(), order, 9, context, int(held_out[t])), rel=1e-9)


def test_a_bigram_by_hand():
    """The text a b a b a c over a vocabulary of 4; too small for D2, so every discount is Y or 0.5.

    Bigrams: ab 2, ba 2, ac 1: n1 = 1, n2 = 2, Y = 1/5; D1 = 1 - 2/5 * 2/1 = 1/5, D2 = 2 (n3 = 0: Y = 1/5).
    Before a: b. Before b: a. Before c: a. Each 1: n1 = 3, n2 = 0, so the discount is 0.5.
    """
    a, b, c, d = range(4)
    model = NgramModel.train(np.array([a, b, a, b, a, c]), 2, 4)
    unigram = {a: (0.5 + 1.5 / 4) / 3, b: (0.5 + 1.5 / 4) / 3, c: (0.5 + 1.5 / 4) / 3, d: (1.5 / 4) / 3}
    expected = {b: (2 - 0.2 + 0.4 * unigram[b]) / 3, c: (1 - 0.2 + 0.4 * unigram[c]) / 3, d: 0.4 * unigram[d] / 3}
    for word, p in expected.items():
        assert model.probabilities(np.array([a, word]))[0] == pytest.approx(p)
    assert model.probabilities(np.array([c, b]))[0] == pytest.approx(unigram[b])  # nothing ever followed c
    assert model.probabilities(np.array([d, d]))[0] == pytest.approx(unigram[d])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 4), min_size=7, max_size=60), st.integers(1, 5), st.lists(st.integers(0, 5), max_size=5))
def test_probabilities_sum_to_one(text, order, context):
    vocab_size = 6
    model = NgramModel.train(np.array(text), order, vocab_size)
    total = sum(model.probabilities(np.array([0, *context, word]))[-1] for word in range(vocab_size))
    assert total == pytest.approx(1)
    assert all(model.probabilities(np.array([0, *context, word]))[-1] > 0 for word in range(vocab_size))


def test_more_context_helps():
    text, held_out = stream(20_000, 50), stream(2000, 50, seed=1)
    costs = [NgramModel.train(text, order, 50).nats(held_out).mean() for order in (1, 2, 3)]
    assert costs[1] < costs[0] - 1
    assert costs[2] < costs[1] + 0.05


def test_discounts_by_hand():
    # n1 = 4, n2 = 2, n3 = 1, n4 = 1: Y = 4 / 8.
    found = discounts(np.array([1, 1, 1, 1, 2, 2, 3, 4]))
    assert found.tolist() == pytest.approx([0, 1 - 2 * 0.5 * 2 / 4, 2 - 3 * 0.5 * 1 / 2, 3 - 4 * 0.5 * 1 / 1])
    assert discounts(np.array([5, 6])).tolist() == [0, 0.5, 0.5, 0.5]


def test_draws_follow_the_probabilities():
    text = stream(500, 6)
    model = NgramModel.train(text, 3, 7)
    context = text[100:102]
    draws = 20_000
    drawn = [row[0] for row in model.sample(draws, -1, 1, seed=3, before=np.tile(context, (draws, 1)))]
    expected = np.array([model.probabilities(np.array([*context, word]))[-1] for word in range(7)]) * draws
    counts = np.bincount(drawn, minlength=7)
    assert ((counts - expected) ** 2 / expected).sum() < 22.5  # 6 degrees of freedom: exceeded once in 1,000 seeds


def test_texts_end_at_the_end_token():
    end = 0
    text = stream(400, 5, seed=2)
    model = NgramModel.train(text, 3, 5)
    after = document_ends(text, np.flatnonzero(text == end) + 1, 2, 50, seed=0)
    assert (after[:, -1] == end).all()
    texts = model.sample(50, end, 30, seed=1, before=after)
    assert all(end not in row for row in texts)
    assert all(len(row) <= 30 for row in texts)
    assert len({tuple(row) for row in texts}) > 5
    assert texts == model.sample(50, end, 30, seed=1, before=after)
    assert texts != model.sample(50, end, 30, seed=2, before=after)


def test_texts_begin_as_asked():
    text = stream(400, 5, seed=2)
    model = NgramModel.train(text, 3, 5)
    texts = model.sample(20, 0, 6, seed=1, before=np.tile(text[:2], (20, 1)), begin=[4, 3])
    assert all(row[:2] == [4, 3] and len(row) <= 6 for row in texts)
    expected = np.array([model.probabilities(np.array([4, 3, word]))[-1] for word in range(5)])
    rows = model.sample(5000, -1, 3, seed=1, before=np.tile(text[:2], (5000, 1)), begin=[4, 3])
    counts = np.bincount([row[2] for row in rows], minlength=5)
    assert ((counts - 5000 * expected) ** 2 / (5000 * expected)).sum() < 18.5  # 4 degrees of freedom, 1 in 1,000


def test_what_new_texts_go_on_after():
    ids = np.arange(10)
    found = document_ends(ids, np.array([0, 4, 10]), 3, 40, seed=0)
    assert {tuple(row) for row in found.tolist()} == {(1, 2, 3), (7, 8, 9)}
    with pytest.raises(BadInput, match="no document end"):
        document_ends(ids, np.array([0, 2]), 3, 1, seed=0)


@pytest.mark.parametrize(
    ("ids", "order"), [([1, 2, 3, 4], 0), ([1, 2, 3, 4], 9), ([1, 2], 2), ([1, 9, 1], 1), ([-1, 1], 1)]
)
def test_what_cannot_be_counted_is_refused(ids, order):
    with pytest.raises(BadInput, match="order"):
        NgramModel.train(np.array(ids), order, 9)
