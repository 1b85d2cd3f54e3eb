"""A token n-gram model with interpolated, modified Kneser-Ney smoothing: the baseline a network has to beat.

Chen and Goodman 1998, "An empirical study of smoothing techniques for language modeling", equations 26 and 27. The
highest order counts how often an n-gram occurs, each lower one how many different tokens come before it. N tokens of
text, M different n-grams of one order, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linnet.core.errors import BadInput

ORDERS = range(1, 9)


@dataclass(frozen=True)
class _Grams:
    """The n-grams of one order: `keys` [M] sorted, each (number of its first n - 1 tokens) * V + last token.

    The place of a key is the number of its n-gram. `discounted` [M] are counts less the discount. By context (the
    number of an (n-1)-gram): `total` of the counts, and `spared`, the share of probability left to the lower order.
    `reach` [M] is the running sum of discounted counts, for drawing.
    """

    keys: np.ndarray
    discounted: np.ndarray
    total: np.ndarray
    spared: np.ndarray
    reach: np.ndarray


class NgramModel:
    """Probabilities of the next token after the last order - 1; build with `NgramModel.train`."""

    def __init__(self, vocab_size: int, grams: list[_Grams]):
        self.order, self.vocab_size = len(grams), vocab_size
        self._grams = grams

    @classmethod
    def train(cls, ids: np.ndarray, order: int, vocab_size: int) -> "NgramModel":
        """Count the n-grams of ids [N]; raises BadInput for an order outside 1 to 8, too few or foreign ids."""
        ids = np.asarray(ids, dtype=np.int64)
        if order not in ORDERS:
            raise BadInput(f"an n-gram model of order {order}: give an order from {ORDERS[0]} to {ORDERS[-1]}")
        if ids.size <= order or ids.min() < 0 or ids.max() >= vocab_size:
            raise BadInput(f"an n-gram model of order {order} needs more than {order} ids below {vocab_size:,}")
        at = np.zeros(ids.size, dtype=np.int64)  # the number of the n-gram that starts at each place
        keys: list[np.ndarray] = []
        counts: list[np.ndarray] = []
        for n in range(1, order + 1):
            shorter = at
            wanted = at[: ids.size - n + 1] * vocab_size + ids[n - 1 :]
            unique, first, at, count = np.unique(wanted, return_index=True, return_inverse=True, return_counts=True)
            if n > 1:
                # How many different n-grams end in each (n-1)-gram, which starts one place further on.
                counts[-1] = np.bincount(shorter[first + 1], minlength=len(keys[-1]))
            keys.append(unique)
            counts.append(count)
        contexts = [1, *(len(shorter) for shorter in keys[:-1])]
        parts = zip(keys, counts, contexts, strict=True)
        return cls(vocab_size, [_smoothed(unique, count, vocab_size, size) for unique, count, size in parts])

    def probabilities(self, ids: np.ndarray) -> np.ndarray:
        """Return p [N - 1] of each id but the first, after (at most) the order - 1 ids before it in `ids` [N]."""
        ids = np.asarray(ids, dtype=np.int64)
        found = np.full(ids.size, 1.0 / self.vocab_size)
        at = np.zeros(ids.size + 1, dtype=np.int64)  # the number of the (n-1)-gram that starts at each place, or -1
        for n, grams in enumerate(self._grams, start=1):
            targets = ids[n - 1 :]
            context = at[: targets.size]
            place, hit = _find(grams.keys, context * self.vocab_size + targets)
            known = context >= 0
            known[known] = grams.total[context[known]] > 0
            seen = context[known]
            own = np.where(hit, grams.discounted[place], 0.0)[known] / grams.total[seen]
            better = found[n - 1 :]
            better[known] = own + grams.spared[seen] * better[known]
            at = np.where(hit, place, -1)
        return found[1:]

    def nats(self, ids: np.ndarray) -> np.ndarray:
        """Return -ln p [N - 1] of each id but the first."""
        return -np.log(self.probabilities(ids))

    def sample(
        self, count: int, end_id: int, max_tokens: int, seed: int, before: np.ndarray, begin: Sequence[int] = ()
    ) -> list[list[int]]:
        """Draw texts that begin with `begin`, each up to `end_id` (left out) or `max_tokens`.

        `before` [count, any] is what stood before each, as in a stream of documents.
        """
        generator = np.random.default_rng(seed)
        begun = np.tile(np.array(begin, dtype=np.int64), (count, 1))
        lines = np.concatenate((np.asarray(before, dtype=np.int64), begun), axis=1)
        texts = [list(begin) for _ in range(count)]
        going = np.arange(count)
        for _ in range(max_tokens - len(begin)):
            if not going.size:
                break
            drawn = self._draw(lines[going], generator)
            lines = np.concatenate((lines, np.zeros((count, 1), dtype=np.int64)), axis=1)[:, -self.order :]
            lines[going, -1] = drawn
            for row, id in zip(going.tolist(), drawn.tolist(), strict=True):
                if id != end_id:
                    texts[row].append(id)
            going = going[drawn != end_id]
        return texts

    def _draw(self, before: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Draw the next id [B] after each row of `before`: from the highest order, or with its spared share below."""
        drawn = np.full(len(before), -1, dtype=np.int64)
        for n in range(min(self.order, before.shape[1] + 1), 0, -1):
            grams = self._grams[n - 1]
            context = self._number(before[:, before.shape[1] - n + 1 :])
            here = np.flatnonzero((drawn < 0) & (context >= 0))
            here = here[grams.total[context[here]] > 0]
            here = here[generator.random(here.size) >= grams.spared[context[here]]]
            start = np.searchsorted(grams.keys, context[here] * self.vocab_size)
            stop = np.searchsorted(grams.keys, (context[here] + 1) * self.vocab_size)
            low, high = np.append(0.0, grams.reach)[np.stack((start, stop))]
            wanted = low + generator.random(here.size) * (high - low)
            place = np.clip(np.searchsorted(grams.reach, wanted, side="right"), start, stop - 1)
            drawn[here] = grams.keys[place] % self.vocab_size
        rest = drawn < 0
        drawn[rest] = generator.integers(self.vocab_size, size=int(rest.sum()))
        return drawn

    def _number(self, rows: np.ndarray) -> np.ndarray:
        """Return the number of each row [B, n] as an n-gram, -1 for one that was never seen; [B]."""
        at = np.zeros(len(rows), dtype=np.int64)
        for place in range(rows.shape[1]):
            found, hit = _find(self._grams[place].keys, at * self.vocab_size + rows[:, place])
            at = np.where(hit, found, -1)
        return at


def _smoothed(keys: np.ndarray, counts: np.ndarray, vocab_size: int, contexts: int) -> _Grams:
    discount = discounts(counts)[np.minimum(counts, 3)]
    discounted = counts - discount
    context = keys // vocab_size
    total = np.bincount(context, counts, minlength=contexts)
    spared = np.bincount(context, discount, minlength=contexts) / np.maximum(total, 1)
    return _Grams(keys, discounted, total, spared, np.cumsum(discounted))


def discounts(counts: np.ndarray) -> np.ndarray:
    """Return what is taken from a count of 0, 1, 2 and 3 or more: [0, D1, D2, D3+] (equation 26).

    With Y = n1 / (n1 + 2 n2), D_i = i - (i + 1) Y n_(i+1) / n_i, from how many n-grams have count 1 to 4. Where a
    text is too small to have them, Y or 0.5 is taken (absolute discounting).
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6).astype(np.float64)
    plain = n[1] / (n[1] + 2 * n[2]) if n[1] and n[2] else 0.5
    found = [0.0]
    for i in (1, 2, 3):
        exact = i - (i + 1) * plain * n[i + 1] / n[i] if n[i] and n[i + 1] else plain
        found.append(exact if 0 < exact < i else plain)
    return np.array(found)


def _find(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the place of each wanted value in sorted keys, and whether it is there.

    An unknown context has the number -1, so its keys are negative and never there.
    """
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return place, keys[place] == wanted


def document_ends(ids: np.ndarray, starts: np.ndarray, length: int, count: int, seed: int) -> np.ndarray:
    """Return the last `length` ids [count, length] before documents drawn at random: what a new text goes on after."""
    places = np.asarray(starts, dtype=np.int64)
    places = places[places >= length]
    if not places.size:
        raise BadInput(f"the text has no document end after {length} tokens; a baseline cannot begin a text")
    drawn = np.random.default_rng(seed).choice(places, size=count)
    return np.asarray(ids, dtype=np.int64)[drawn[:, None] - length + np.arange(length)]
