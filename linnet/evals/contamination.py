"""Contamination: which test rows stand, as a whole or in long runs of words, in the text that a model learned from.

After GPT-3 (Brown et al. 2020, appendix C): words are compared in lower case without punctuation, and a row is dirty
when it shares a run of n = 13 words with the training text. A row whose longest text is all in there is dirty however
short it is ("exact").
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

WORDS = 13
WORD = re.compile(r"[^\W_]+")
CLEAN, OVERLAP, EXACT = 0, 1, 2
AT_ONCE = 2**20  # words of training text that are looked through together
BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64


class Contamination:
    """Test rows to look for in training texts; `against` says what was found of each."""

    def __init__(self, rows: Sequence[Sequence[str]], n: int = WORDS):
        """Take the texts of each row (question, answer, ...); labels and the like are not worth looking for."""
        self.n = n
        pieces = [[WORD.findall(text.lower()) for text in row] for row in rows]
        self._numbers: dict[str, int] = {}
        ids = [[[self._number(word) for word in piece] for piece in row] for row in pieces]
        # A random number for each word, so that sums over words cannot meet by accident; the last is of all others.
        generator = np.random.default_rng(0)
        self._values = generator.integers(1, 2**64, len(self._numbers) + 1, dtype=np.uint64)
        self._runs = [set[int]().union(*(self._sums(piece, n) for piece in row)) for row in ids]
        longest = [max(row, key=len, default=[]) for row in ids]
        # The whole of a row's longest text: how many words, their number, and that of its first run, to look there.
        self._wholes = [
            (len(piece), *self._sums(piece, len(piece)), self._sums(piece, min(n, len(piece)))[0]) if piece else None
            for piece in longest
        ]

    def against(self, texts: Iterable[str]) -> np.ndarray:
        """Return CLEAN, OVERLAP or EXACT for each row [rows]; texts are read once."""
        runs = np.array(sorted(set[int]().union(*self._runs)), dtype=np.uint64)
        short = sorted({whole[0] for whole in self._wholes if whole and whole[0] < self.n})
        seen, exact = set[int](), np.zeros(len(self._runs), dtype=bool)
        for values in self._training(texts):
            running = Running(values)
            seen.update(_found(running.sums(self.n), runs)[1])
            for length in (*short, self.n):
                self._look_for_wholes(running, length, exact)
        overlap = np.array([not own.isdisjoint(seen) for own in self._runs], dtype=bool)
        return np.where(exact, EXACT, np.where(overlap, OVERLAP, CLEAN))

    def _look_for_wholes(self, running: "Running", length: int, exact: np.ndarray) -> None:
        """Mark rows whose longest text stands here: of `length` words, or of more that begin with so many."""
        rows = [
            (row, whole)
            for row, whole in enumerate(self._wholes)
            if whole and not exact[row] and (whole[0] == length or (length == self.n and whole[0] > length))
        ]
        first = np.array(sorted({whole[2] for _, whole in rows}), dtype=np.uint64)
        places, _ = _found(running.sums(length), first)
        for size in {whole[0] for _, whole in rows}:
            there = set(running.sums(size, places).tolist())
            for row, whole in rows:
                if whole[0] == size and whole[1] in there:
                    exact[row] = True

    def _training(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        """Yield the values of training words in parts; texts are kept apart by the value that no word has."""
        waiting: list[int] = []
        for text in texts:
            waiting += [self._numbers.get(word, -1) for word in WORD.findall(text.lower())]
            waiting.append(-1)
            if len(waiting) >= AT_ONCE:
                yield self._values[np.array(waiting)]
                waiting = []
        if waiting:
            yield self._values[np.array(waiting)]

    def _sums(self, piece: Sequence[int], length: int) -> list[int]:
        return Running(self._values[np.array(piece, dtype=np.int64)]).sums(length).tolist()

    def _number(self, word: str) -> int:
        return self._numbers.setdefault(word, len(self._numbers))


class Running:
    """Words as a running sum of value x BASE^place modulo 2^64, from which any run's number follows at once."""

    def __init__(self, values: np.ndarray):
        """Sum up values [N] uint64."""
        powers, inverse = (np.full(len(values) + 1, base, np.uint64) for base in (BASE, pow(BASE, -1, 2**64)))
        powers[:1] = inverse[:1] = 1
        self.inverse = np.cumprod(inverse, dtype=np.uint64)
        self.total = np.concatenate(([np.uint64(0)], np.cumsum(values * np.cumprod(powers, dtype=np.uint64)[:-1])))

    def sums(self, length: int, places: np.ndarray | None = None) -> np.ndarray:
        """Return the number of the run of `length` words from each place on (from all), the same wherever it stands."""
        most = len(self.total) - length
        places = np.arange(max(0, most)) if places is None else places[places < most]
        return (self.total[places + length] - self.total[places]) * self.inverse[places]


def _found(numbers: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Return the places of numbers that are in `wanted` (sorted), and which ones these are."""
    if not wanted.size:
        return np.zeros(0, dtype=np.int64), []
    near = wanted[np.minimum(np.searchsorted(wanted, numbers), wanted.size - 1)]
    places = np.flatnonzero(near == numbers)
    return places, np.unique(numbers[places]).tolist()
