"""Search by words: an inverted index and BM25 (Robertson and Zaragoza 2009), with NumPy.

N chunks, V words.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from linnet.core.errors import BadInput

K1, B = 1.2, 0.75  # how soon a repeated word counts no more, and how much a long chunk is held back


@dataclass(frozen=True)
class Words:
    """Which words stand in which chunks: `chunks[starts[v] : starts[v + 1]]` hold word v, so often as `counts` say."""

    vocabulary: dict[str, int]
    starts: np.ndarray  # int64 [V + 1]
    chunks: np.ndarray  # int32, ascending within a word
    counts: np.ndarray  # int32
    lengths: np.ndarray  # int32 [N], words in each chunk

    @classmethod
    def of(cls, texts: Iterable[Sequence[str]]) -> "Words":
        """Return the index of chunks given as their words."""
        postings: dict[str, list[tuple[int, int]]] = {}
        lengths = []
        for number, words in enumerate(texts):
            lengths.append(len(words))
            for word, count in Counter(words).items():
                postings.setdefault(word, []).append((number, count))
        ordered = sorted(postings)  # the same arrays in whatever order the documents' words came
        flat = [posting for word in ordered for posting in postings[word]]
        pairs = np.array(flat, dtype=np.int32).reshape(-1, 2)
        starts = np.cumsum([0, *(len(postings[word]) for word in ordered)], dtype=np.int64)
        vocabulary = {word: place for place, word in enumerate(ordered)}
        return cls(vocabulary, starts, pairs[:, 0].copy(), pairs[:, 1].copy(), np.array(lengths, dtype=np.int32))

    def checked(self, where: object) -> "Words":
        """Return itself; raises BadInput where the arrays do not fit each other, as those of a foreign file may not."""
        count, postings = len(self.vocabulary), len(self.chunks)
        fits = (
            self.starts.shape == (count + 1,)
            and self.chunks.shape == self.counts.shape == (postings,)
            and self.lengths.ndim == 1
            and self.starts[0] == 0
            and self.starts[-1] == postings
            and all(first < last for first, last in pairwise(self.starts.tolist()))
            and (not postings or (self.chunks.min() >= 0 and self.chunks.max() < len(self.lengths)))
            and list(self.vocabulary.values()) == list(range(count))
        )
        if not fits:
            raise BadInput(f"{where}: its words and chunks do not fit each other; make the index anew: linnet index")
        return self

    def rarity(self, word: str) -> float:
        """Return ln(1 + (N - n + 0.5) / (n + 0.5)) of a word that n of N chunks hold: never below 0 (Lucene's form)."""
        place, total = self.vocabulary.get(word), len(self.lengths)
        holding = 0 if place is None else int(self.starts[place + 1] - self.starts[place])
        return float(np.log1p((total - holding + 0.5) / (holding + 0.5)))

    def scores(self, question: Sequence[str]) -> np.ndarray:
        """Return the score of each chunk, float64 [N]: the sum over the question's words, each time it is said, of

        rarity * f (K1 + 1) / (f + K1 (1 - B + B length / mean length)), for a word that stands f times in the chunk.
        """
        found = np.zeros(len(self.lengths))
        if not len(self.lengths):
            return found
        mean = max(float(self.lengths.mean()), 1e-9)
        held_back = K1 * (1 - B + B * self.lengths / mean)
        for word, times in Counter(question).items():
            place = self.vocabulary.get(word)
            if place is None:
                continue
            span = slice(int(self.starts[place]), int(self.starts[place + 1]))
            holding, counts = self.chunks[span], self.counts[span].astype(np.float64)
            found[holding] += times * self.rarity(word) * counts * (K1 + 1) / (counts + held_back[holding])
        return found

    def coverage(self, question: Sequence[str], chunk: Sequence[str]) -> float:
        """Return which share of a question's words, each weighed by its rarity, a chunk holds: from 0 to 1."""
        weights = {word: self.rarity(word) for word in question}
        total, inside = sum(weights.values()), set(chunk)
        return sum(weight for word, weight in weights.items() if word in inside) / total if total else 0.0
