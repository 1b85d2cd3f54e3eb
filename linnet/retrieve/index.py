"""An index of documents: search by words and by meaning, in a folder that is whole at every moment.

```
index = Index.open("runs/index", load_network)          # from linnet.artifacts
for found in index.search("Who is Mia's best friend?", 5):
    print(found.document, found.start, found.end, found.text, found.score)
```
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from linnet.core.errors import BadInput
from linnet.retrieve.bm25 import Words
from linnet.retrieve.config import BY_COVERAGE, WEAK_BELOW, By, ChunkConfig, EvidenceConfig
from linnet.retrieve.dense import Embedder, Load
from linnet.retrieve.fusion import fused
from linnet.retrieve.nearest import Engine, Nearest, engine_of, nearest
from linnet.retrieve.words import asked_for, terms

DEPTH = 100  # chunks of each ranking that are fused


@dataclass(frozen=True)
class Found:
    """A chunk that was found: `text` is that of the document from character `start` to `end`."""

    document: str
    title: str
    start: int
    end: int
    text: str
    score: float  # of the ranking that was asked for; comparable within one search only
    words: float  # BM25
    meaning: float | None  # cosine; None where nothing asked for a vector
    coverage: float  # which share of what the question is about, by its words' rarity, stands in it


@dataclass(frozen=True)
class Entry:
    """A document of an index: its name, the hash of what it was read from, its title and text."""

    name: str
    fingerprint: str
    title: str
    text: str


@dataclass(frozen=True)
class Index:
    """Documents in chunks, with the words and the vectors of these; make one with `linnet.retrieve.making`."""

    entries: tuple[Entry, ...]  # in order of their names
    choices: ChunkConfig
    chunks: np.ndarray  # int64 [N, 3]: document, start, end
    words: Words
    vectors: np.ndarray | None = None  # float32 [N, D], of length 1
    embedder: Embedder | None = None
    encoder_hash: str = ""
    weak_below: float = WEAK_BELOW  # a source of less strength is not answered from
    meaning_weight: float = 1.0  # of the ranking by meaning beside that by words, where both are fused
    evidence: EvidenceConfig = BY_COVERAGE
    engine: Engine = "numpy"
    qdrant_url: str = ""
    content: str = ""  # the hash of what is indexed

    @staticmethod
    def open(folder: str | Path, load: Load, engine: Engine = "numpy", qdrant_url: str = "") -> "Index":
        """Read an index folder, its encoder by `load` (linnet.artifacts.load_network).

        Every engine finds the same chunks. Raises BadInput naming the file that is missing, damaged or of another
        version, and the extra of an engine that is not installed.
        """
        from linnet.retrieve.folder import read

        return read(Path(folder), load, engine, qdrant_url)

    def search(self, question: str, k: int = 5, by: By = "fused") -> list[Found]:
        """Return the `k` best chunks for a question, best first; fewer where fewer have anything to do with it.

        "words" ranks by BM25, "meaning" by the cosine of vectors, "fused" by both rankings (reciprocal rank fusion,
        that by meaning with the index's weight); without an encoder it is by words. Raises BadInput for "meaning"
        without one.
        """
        if by == "meaning" and self.embedder is None:
            raise BadInput("this index has no encoder; make it with one: linnet index ... --encoder RUN")
        if k < 1:
            raise BadInput(f"{k} chunks asked for; ask for 1 or more")
        asked, depth = terms(question), max(k, DEPTH)
        scores = self.words.scores(asked)
        by_words = [int(place) for place in _best(scores, depth)] if by != "meaning" else []
        vector = self._vector(question) if by != "words" or self.evidence.meaning else None
        near = {} if vector is None or by == "words" else dict(self._near(vector, depth))
        if by == "words":
            ranking = [(place, float(scores[place])) for place in by_words]
        elif by == "meaning":
            ranking = list(near.items())
        else:
            ranking = fused([by_words, list(near)], weights=(1.0, self.meaning_weight))
        return [self._found(place, score, float(scores[place]), vector, asked) for place, score in ranking[:k]]

    def strength(self, one: Found) -> float:
        """Return how much tells that a chunk answers the question that it was found for, by the index's evidence."""
        meaning = 0.0 if one.meaning is None else self.evidence.meaning * one.meaning
        return self.evidence.coverage * one.coverage + self.evidence.words * one.words + meaning

    def strong(self, found: Sequence[Found]) -> list[Found]:
        """Return the chunks that are enough to answer from; where none is, the documents most likely do not say it."""
        return [one for one in found if self.strength(one) >= self.weak_below]

    def ranking(self, question: str, by: Literal["words", "meaning"], depth: int = DEPTH) -> list[int]:
        """Return the numbers of the best chunks by one way alone, best first: what is fused."""
        if by == "words":
            return [int(place) for place in _best(self.words.scores(terms(question)), depth)]
        vector = self._vector(question)
        return [] if vector is None else [number for number, _ in self._near(vector, depth)]

    def place_of(self, number: int) -> tuple[str, int, int]:
        """Return where a chunk stands by its number: the name of its document, and from which character to which."""
        document, start, end = (int(part) for part in self.chunks[number])
        return self.entries[document].name, start, end

    def text_of(self, number: int) -> str:
        """Return the text of a chunk by its number."""
        document, start, end = (int(part) for part in self.chunks[number])
        return self.entries[document].text[start:end]

    def _found(self, number: int, score: float, words: float, vector: np.ndarray | None, asked: list[str]) -> Found:
        document, start, end = (int(part) for part in self.chunks[number])
        entry, text, meaning = self.entries[document], self.text_of(number), None
        if vector is not None and self.vectors is not None:
            meaning = float(self.vectors[number].astype(np.float64) @ vector.astype(np.float64))
        coverage = self.words.coverage(asked_for(asked), terms(f"{entry.title}\n{text}"))
        return Found(entry.name, entry.title, start, end, text, score, words, meaning, coverage)

    def _near(self, vector: np.ndarray, depth: int) -> list[tuple[int, float]]:
        return [] if self.vectors is None else nearest(self._engine, self.vectors, vector, depth)

    def _vector(self, question: str) -> np.ndarray | None:
        return None if self.embedder is None else self.embedder.vectors([question], asked=True)[0]

    @cached_property
    def _engine(self) -> Nearest:
        assert self.vectors is not None
        return engine_of(self.engine, self.vectors, self.qdrant_url, f"linnet-{self.content[:32]}")


def _best(scores: np.ndarray, most: int) -> np.ndarray:
    """Return the places of the highest scores above 0, best first, of equal ones the earlier."""
    places = np.flatnonzero(scores > 0)
    return places[np.lexsort((places, -scores[places]))][:most]
