"""Guess the next token from the few before it: by counting (bigrams, n-grams), or by a bigram table that is trained.

These are the losses a network has to beat. N tokens of text, V vocabulary; losses in nats a token.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from linnet.by_hand.operation import Array, Back
from linnet.by_hand.optimizers import Adam


def bigram_counts(ids: Array, vocab_size: int) -> Array:
    """Return how often token j follows token i in ids [N], as a table [V, V]."""
    _check(ids, vocab_size, 2)
    counts = np.zeros((vocab_size, vocab_size))
    np.add.at(counts, (ids[:-1], ids[1:]), 1)  # unlike counts[...] += 1, this counts a pair as often as it occurs
    return counts


def add_k(counts: Array, k: float = 1.0) -> Array:
    """Return probabilities [V, V] of what follows, with k added to each count, so that nothing is impossible.

    p_ij = (n_ij + k) / (n_i + k V), rows sum to 1; k = 1 is Laplace's rule.
    """
    if k < 0:
        raise ValueError(f"k is {k}; a count can only be raised, give 0 or more")
    raised = counts + k
    return raised / raised.sum(-1, keepdims=True)


def bigram_loss(probabilities: Array, ids: Array) -> float:
    """Return the mean surprise -log p of ids [N] from the second on, each told by the one before."""
    _check(ids, len(probabilities), 2)
    return float(-np.log(probabilities[ids[:-1], ids[1:]]).mean())


@dataclass(frozen=True)
class Ngram:
    """Counts of what followed each stretch of up to `order` - 1 tokens; the longer one leans on the shorter one.

    p(w | context) = (n(context, w) + strength p(w | shorter context)) / (n(context) + strength), down to 1 / V: the
    shorter context counts like `strength` observations (MacKay & Peto 1995). A long context seen once says little and
    leaves nearly all to the shorter one, one seen a thousand times decides.
    """

    order: int
    vocab_size: int
    strength: float
    counts: dict[tuple[int, ...], Counter[int]]

    @classmethod
    def count(cls, ids: Array, order: int, vocab_size: int, strength: float = 5.0) -> "Ngram":
        """Count ids [N]; raises ValueError for an order below 1, foreign or no ids, no strength."""
        if order < 1 or strength <= 0:
            raise ValueError(f"order {order} and strength {strength}: give an order from 1 and a strength above 0")
        _check(ids, vocab_size, 1)
        counts: dict[tuple[int, ...], Counter[int]] = {}
        line = ids.tolist()
        for place, id in enumerate(line):
            for length in range(min(order - 1, place) + 1):
                counts.setdefault(tuple(line[place - length : place]), Counter())[id] += 1
        return cls(order, vocab_size, strength, counts)

    def probabilities(self, context: tuple[int, ...]) -> Array:
        """Return the probability [V] of each next token after a context; only its last `order` - 1 tokens matter."""
        p = np.full(self.vocab_size, 1 / self.vocab_size)
        for length in range(min(self.order - 1, len(context)) + 1):
            followed = self.counts.get(tuple(context[len(context) - length :]))
            if followed is None:
                break  # then a longer context was not seen either
            p *= self.strength
            p[list(followed)] += list(followed.values())
            p /= followed.total() + self.strength
        return p

    def loss(self, ids: Array) -> float:
        """Return the mean surprise of ids [N] from the second on; the first ones have shorter contexts."""
        _check(ids, self.vocab_size, 2)
        line = ids.tolist()
        contexts = (tuple(line[max(0, place - self.order + 1) : place]) for place in range(1, len(line)))
        surprise = [-np.log(self.probabilities(context)[id]) for context, id in zip(contexts, line[1:], strict=True)]
        return float(np.mean(surprise))


def bigram_model(table: Array, counts: Array) -> tuple[float, Back]:
    """Return the mean cross-entropy of a table of logits [V, V] on a text of which only the bigram counts matter.

    All places with the same token before them have the same logits, so their gradients softmax(row) - 1[target] add up
    to n_i p_ij - n_ij: dtable = (n_i p_ij - n_ij) / N. It is zero where p_ij = n_ij / n_i: training ends where counting
    begins. `back(dloss)` returns dtable.
    """
    logs = table - table.max(-1, keepdims=True)
    logs = logs - np.log(np.exp(logs).sum(-1, keepdims=True))
    total = counts.sum()

    def back(dloss: float = 1.0) -> Array:
        return dloss * (counts.sum(-1, keepdims=True) * np.exp(logs) - counts) / total

    return float(-(counts * logs).sum() / total), back


def train_bigram(counts: Array, steps: int = 200, lr: float = 0.1) -> tuple[Array, list[float]]:
    """Train a table of logits [V, V] from zero with Adam; return it and the loss before each step."""
    weights = {"table": np.zeros_like(counts)}
    optimizer = Adam(lr)
    losses = []
    for _ in range(steps):
        loss, back = bigram_model(weights["table"], counts)
        optimizer.step(weights, {"table": back()})
        losses.append(loss)
    return weights["table"], losses


def simple_losses(train: Array, held_out: Array, vocab_size: int) -> dict[str, float]:
    """Return the held-out loss of what needs no network: pure chance, counts of 1, 2 and 5, and the trained table."""
    table, _ = train_bigram(bigram_counts(train, vocab_size))
    trained, _ = bigram_model(table, bigram_counts(held_out, vocab_size))
    counted = {order: Ngram.count(train, order, vocab_size).loss(held_out) for order in (1, 2, 5)}
    return {
        "chance": float(np.log(vocab_size)),
        "characters by counts": counted[1],
        "bigram by counts": counted[2],
        "bigram by gradient": trained,
        "5-gram by counts": counted[5],
    }


def _check(ids: Array, vocab_size: int, least: int) -> None:
    if len(ids) < least:
        raise ValueError(f"{len(ids)} tokens are too few; at least {least} are needed")
    if ids.min() < 0 or ids.max() >= vocab_size:
        raise ValueError(f"ids run from {ids.min()} to {ids.max()}, outside a vocabulary of {vocab_size}")
