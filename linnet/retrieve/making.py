"""Makes an index of documents, or brings one up to date: only what is new or has changed is read, cut and embedded."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from linnet.core.errors import BadInput
from linnet.retrieve.bm25 import Words
from linnet.retrieve.chunks import chunks, words_and_marks
from linnet.retrieve.config import ChunkConfig
from linnet.retrieve.dense import Embedder
from linnet.retrieve.documents import Source
from linnet.retrieve.index import Entry, Index
from linnet.retrieve.words import terms

MOST_CHUNKS = 2_000_000
Refuse = Callable[[BadInput], None]


def strict(error: BadInput) -> None:
    """Let nothing be left out: raise."""
    raise error


@dataclass(frozen=True)
class Changes:
    """What bringing an index up to date has done with each document, by name."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: int = 0
    refused: tuple[str, ...] = ()  # why, a line each

    def line(self) -> str:
        """Say it in words."""
        counts = (len(self.added), len(self.changed), len(self.removed), self.kept)
        said = "{:,} documents added, {:,} changed, {:,} removed, {:,} as before".format(*counts)
        return f"{said}, {len(self.refused):,} left out" if self.refused else said


@dataclass(frozen=True)
class _Part:
    """A document as it is in an index: its places and vectors are a function of it and the choices alone."""

    entry: Entry
    spans: np.ndarray  # int64 [n, 2]
    vectors: np.ndarray | None  # float32 [n, D]


def make(sources: Iterable[Source], choices: ChunkConfig, embedder: Embedder | None, encoder_hash: str = "") -> Index:
    """Return an index of documents; raises BadInput when no document has any text, or chunks outgrow the encoder."""
    return update(None, sources, choices, embedder, encoder_hash)[0]


def update(
    before: Index | None,
    sources: Iterable[Source],
    choices: ChunkConfig,
    embedder: Embedder | None,
    encoder_hash: str = "",
    keep: bool = False,
    refuse: Refuse = strict,
) -> tuple[Index, Changes]:
    """Return the index of exactly these documents, and what was done; it is the one that `make` would make of them.

    `refuse` is told of a document that cannot be read; where it does not raise, the index is made without that one.
    With `keep` documents of `before` that are not among `sources` stay. What an older index knows of a document whose
    hash is the same is taken over, where chunks and encoder are chosen alike.
    """
    if embedder is not None and choices.tokens > embedder.room:
        raise BadInput(f"--chunks.tokens {choices.tokens}: the encoder reads {embedder.room} at once; give no more")
    old = {} if before is None else _parts(before)
    same = before is not None and before.choices == choices and before.encoder_hash == encoder_hash
    found, added, changed, refused = {}, [], [], []
    for source in sources:
        known = old.get(source.name)
        fresh = known is None or known.entry.fingerprint != source.fingerprint
        if known is not None and not fresh:
            found[source.name] = known if same else _part(known.entry, choices, embedder)
            continue
        try:
            document = source.read()
        except BadInput as error:
            refuse(error)
            refused.append(str(error))
            continue
        entry = Entry(source.name, source.fingerprint, document.title, document.text)
        found[source.name] = _part(entry, choices, embedder)
        (added if known is None else changed).append(source.name)
    if refused and not found:
        raise BadInput(f"none of {len(refused):,} documents can be read; the first: {refused[0]}")
    left = sorted(old.keys() - found.keys())
    if keep:
        found |= {name: old[name] if same else _part(old[name].entry, choices, embedder) for name in left}
    kept = len(found) - len(added) - len(changed)
    done = Changes(tuple(added), tuple(changed), () if keep else tuple(left), kept, tuple(refused))
    index = _joined([found[name] for name in sorted(found)], choices, embedder, encoder_hash)
    return (index if before is None else _judging_as(before, index)), done


def without(before: Index, names: Iterable[str]) -> tuple[Index, Changes]:
    """Return an index without some documents; raises BadInput for a name that is not in it."""
    parts, names = _parts(before), tuple(names)
    for name in names:
        if name not in parts:
            raise BadInput(f"--remove {name}: no such document in the index")
    rest = [part for name, part in parts.items() if name not in names]
    index = _joined(rest, before.choices, before.embedder, before.encoder_hash)
    return _judging_as(before, index), Changes(removed=names, kept=len(rest))


def _judging_as(before: Index, index: Index) -> Index:
    """Return an index with what was found out with another one's questions, but not what its encoder had a part in."""
    if before.encoder_hash == index.encoder_hash:
        index = replace(index, meaning_weight=before.meaning_weight)
    elif before.evidence.meaning:
        return index
    return replace(index, weak_below=before.weak_below, evidence=before.evidence)


def _part(entry: Entry, choices: ChunkConfig, embedder: Embedder | None) -> _Part:
    count = words_and_marks if embedder is None else embedder.count
    spans = np.array(chunks(entry.text, choices.tokens, choices.overlap, count), dtype=np.int64).reshape(-1, 2)
    if embedder is None:
        return _Part(entry, spans, None)
    return _Part(entry, spans, embedder.vectors([entry.text[start:end] for start, end in spans.tolist()]))


def _parts(index: Index) -> dict[str, _Part]:
    """Return what an index knows of each document, by name."""
    bounds = np.searchsorted(index.chunks[:, 0], np.arange(len(index.entries) + 1))
    found = {}
    for number, entry in enumerate(index.entries):
        span = slice(int(bounds[number]), int(bounds[number + 1]))
        vectors = None if index.vectors is None else index.vectors[span]
        found[entry.name] = _Part(entry, index.chunks[span, 1:], vectors)
    return found


def _joined(parts: list[_Part], choices: ChunkConfig, embedder: Embedder | None, encoder_hash: str) -> Index:
    rows = [(number, *span) for number, part in enumerate(parts) for span in part.spans.tolist()]
    if not rows:
        raise BadInput("no document with any text is left for the index; an empty one would find nothing")
    if len(rows) > MOST_CHUNKS:
        raise BadInput(f"{len(rows):,} chunks; an index holds at most {MOST_CHUNKS:,}, so make several")
    entries = tuple(part.entry for part in parts)
    table = np.array(rows, dtype=np.int64)
    texts = (f"{entries[number].title}\n{entries[number].text[start:end]}" for number, start, end in rows)
    vectors = None
    if embedder is not None:
        vectors = np.concatenate([part.vectors for part in parts if part.vectors is not None])
    words = Words.of(terms(text) for text in texts)
    return Index(entries, choices, table, words, vectors, embedder, encoder_hash)
