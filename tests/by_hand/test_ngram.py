"""N-grams: what a person counts, rows that sum to one, and a trained table that ends where counting begins."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.by_hand.embedding import embedding
from linnet.by_hand.gradient_check import gradient_check
from linnet.by_hand.ngram import Ngram, add_k, bigram_counts, bigram_loss, bigram_model, simple_losses, train_bigram
from linnet.by_hand.softmax import cross_entropy

LINE = np.array([0, 1, 0, 1, 2, 0, 1])
texts = st.lists(st.integers(0, 4), min_size=2, max_size=40).map(np.array)


def test_bigrams_of_a_line_as_a_person_counts_them():
    assert bigram_counts(LINE, 3).tolist() == [[0, 3, 0], [1, 0, 1], [1, 0, 0]]
    assert add_k(bigram_counts(LINE, 3))[0].tolist() == [1 / 6, 4 / 6, 1 / 6]
    assert add_k(bigram_counts(LINE, 3), 0)[1].tolist() == [0.5, 0, 0.5]
    assert bigram_loss(add_k(bigram_counts(LINE, 3)), np.array([0, 1, 2])) == pytest.approx(
        (math.log(6 / 4) + math.log(5 / 2)) / 2
    )


@given(ids=texts, order=st.integers(1, 4), strength=st.floats(0.1, 20))
@settings(deadline=None, max_examples=40)
def test_probabilities_are_those_of_a_count_written_out(ids, order, strength):
    model = Ngram.count(ids, order, 5, strength)
    line = ids.tolist()

    def told(context: list[int], id: int) -> float:
        """The formula of the docstring, read from the text each time."""
        shorter = 1 / 5 if not context else told(context[1:], id)
        size = len(context)
        followed = Counter(line[at + size] for at in range(len(line) - size) if line[at : at + size] == context)
        return (followed[id] + strength * shorter) / (followed.total() + strength)

    for context in ([], [3], line[:2], line[-3:]):
        expected = [told(context[-(order - 1) :] if order > 1 else [], id) for id in range(5)]
        found = model.probabilities(tuple(context))
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert found.sum() == pytest.approx(1)


def test_the_loss_is_told_by_the_text_before_and_by_nothing_else():
    ids = np.array([0, 1, 2, 3] * 20)
    model = Ngram.count(ids, 3, 4)
    assert model.loss(ids) < 0.2 < Ngram.count(ids, 1, 4).loss(ids)
    assert Ngram.count(ids, 1, 4).loss(ids) == pytest.approx(math.log(4), abs=1e-3)
    by_place = [-math.log(model.probabilities(tuple(ids[max(0, t - 2) : t]))[ids[t]]) for t in range(1, len(ids))]
    assert model.loss(ids) == pytest.approx(np.mean(by_place))


@given(ids=texts, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_the_table_by_counts_equals_the_model_of_rows_and_autograd(ids, seed):
    table = np.random.default_rng(seed).normal(size=(5, 5))
    loss, back = bigram_model(table, bigram_counts(ids, 5))
    logits, back_rows = embedding(ids[:-1], table)
    (total, count), back_loss = cross_entropy(logits, ids[1:])
    assert loss == pytest.approx(total / count, rel=1e-12)
    np.testing.assert_allclose(back(), back_rows(back_loss(1 / count)), atol=1e-12)
    weight = torch.tensor(table, requires_grad=True)
    reference = F.cross_entropy(weight[torch.tensor(ids[:-1])], torch.tensor(ids[1:]))
    reference.backward()
    assert loss == pytest.approx(reference.item(), rel=1e-12)
    np.testing.assert_allclose(back(), weight.grad, atol=1e-12)


def test_the_gradient_is_the_slope():
    rng = np.random.default_rng(0)
    counts = bigram_counts(rng.integers(0, 6, 50), 6)
    assert gradient_check(lambda table: bigram_model(table, counts), (rng.normal(size=(6, 6)),), rng) < 1e-6


def test_training_ends_where_counting_begins():
    counts = bigram_counts(np.random.default_rng(1).integers(0, 4, 400), 4)
    table, losses = train_bigram(counts, steps=300)
    counted = counts / counts.sum(-1, keepdims=True)
    assert losses[0] == pytest.approx(math.log(4))
    assert losses[-1] == pytest.approx(-(counts * np.log(counted)).sum() / counts.sum(), abs=1e-6)
    np.testing.assert_allclose(np.exp(table) / np.exp(table).sum(-1, keepdims=True), counted, atol=1e-3)


def test_simple_losses_fall_with_what_is_known():
    ids = np.array([0, 1, 0, 2] * 100)
    losses = simple_losses(ids[:300], ids[300:], 3)
    assert list(losses) == [
        "chance", "characters by counts", "bigram by counts", "bigram by gradient", "5-gram by counts",
    ]  # fmt: skip
    chance, characters, counted, trained, fifth = losses.values()
    assert chance == pytest.approx(math.log(3))
    assert characters == pytest.approx(1.5 * math.log(2), abs=0.01)
    assert counted == pytest.approx(0.5 * math.log(2), abs=0.03) == pytest.approx(trained, abs=0.03)
    assert fifth < 0.1


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(ValueError, match="1 tokens are too few"):
        bigram_counts(np.array([1]), 3)
    with pytest.raises(ValueError, match="from 0 to 3, outside a vocabulary of 3"):
        Ngram.count(np.array([0, 3]), 2, 3)
    with pytest.raises(ValueError, match="order 0"):
        Ngram.count(LINE, 0, 3)
    with pytest.raises(ValueError, match="k is -1"):
        add_k(bigram_counts(LINE, 3), -1)
