"""Bringing an index up to date gives what making it anew gives, to the bit, and reads only what has changed."""

from dataclasses import replace

import numpy as np
import pytest

from linnet.core.errors import BadInput
from linnet.retrieve.config import BY_COVERAGE, WEAK_BELOW, ChunkConfig, EvidenceConfig
from linnet.retrieve.dense import Embedder
from linnet.retrieve.documents import Source
from linnet.retrieve.making import make, update, without
from tests.retrieve.networks import TEXTS, TOKENIZER, encoder, sources

CHOICES = ChunkConfig(tokens=40, overlap=20)


def same(first, second):
    assert first.entries == second.entries
    assert first.words.vocabulary == second.words.vocabulary
    for name in ("starts", "chunks", "counts", "lengths"):
        assert (getattr(first.words, name) == getattr(second.words, name)).all()
    assert (first.chunks == second.chunks).all()
    assert (first.vectors is None) == (second.vectors is None)
    assert first.vectors is None or (first.vectors == second.vectors).all()


@pytest.mark.parametrize("dense", [False, True])
def test_up_to_date_is_as_made_anew(dense):
    embedder, mark = (Embedder(encoder(), TOKENIZER), "h") if dense else (None, "")
    choices = CHOICES if dense else ChunkConfig(tokens=8, overlap=4)
    first = make(sources(), choices, embedder, mark)
    texts = {"ants": "Ants walk in lines.", **TEXTS, "dogs": "Dogs bark no more."}
    del texts["cats"]
    read = []
    noted = [type(one)(one.name, one.fingerprint, lambda one=one: read.append(one.name) or one.read())
             for one in sources(texts)]  # fmt: skip
    second, done = update(first, noted, choices, embedder, mark)
    assert (done.added, done.changed, done.removed, done.kept) == (("ants",), ("dogs",), ("cats",), 2)
    assert read == ["ants", "dogs"]
    same(second, make(reversed(sources(texts)), choices, embedder, mark))
    kept, done = update(first, sources({"ants": "Ants walk."}), choices, embedder, mark, keep=True)
    assert (done.removed, done.kept) == ((), 4)
    same(kept, make(sources({**TEXTS, "ants": "Ants walk."}), choices, embedder, mark))
    rest, done = without(first, ["fish", "cats"])
    assert (done.removed, done.kept) == (("fish", "cats"), 2)
    same(rest, make(sources({name: TEXTS[name] for name in ("dogs", "birds")}), choices, embedder, mark))


def test_other_choices_or_another_encoder_make_all_anew_without_reading():
    first = make(sources(), CHOICES, Embedder(encoder(0), TOKENIZER), "zero")
    other = Embedder(encoder(1), TOKENIZER)
    blind = [type(one)(one.name, one.fingerprint, lambda: pytest.fail("read again")) for one in sources()]
    same(update(first, blind, CHOICES, other, "one")[0], make(sources(), CHOICES, other, "one"))
    assert not np.array_equal(first.vectors, make(sources(), CHOICES, other, "one").vectors)
    small = ChunkConfig(tokens=24, overlap=0)
    same(update(first, blind, small, other, "one")[0], make(sources(), small, other, "one"))


def test_what_was_found_out_with_questions_stays():
    first = make(sources(), CHOICES, Embedder(encoder(), TOKENIZER), "a")
    by_words = EvidenceConfig(coverage=1, words=2)
    first = replace(first, weak_below=0.3, meaning_weight=0.5, evidence=by_words)
    for other in (
        update(first, sources({"ants": "Ants walk."}), CHOICES, first.embedder, "a"),
        without(first, ["fish"]),
    ):
        assert (other[0].weak_below, other[0].meaning_weight, other[0].evidence) == (0.3, 0.5, by_words)
    changed = sources(), CHOICES, Embedder(encoder(1), TOKENIZER), "b"
    anew = update(first, *changed)[0]
    assert (anew.weak_below, anew.meaning_weight, anew.evidence) == (0.3, 1.0, by_words)  # the weight was its encoder's
    anew = update(replace(first, evidence=EvidenceConfig(meaning=1)), *changed)[0]
    assert (anew.weak_below, anew.evidence) == (WEAK_BELOW, BY_COVERAGE)  # and so was this evidence


def test_what_cannot_be_read_is_left_out_with_its_reason_or_stops_all():
    def broken():
        raise BadInput("dogs.pdf: scanned")

    first = make(sources(), CHOICES, None)
    given = [Source("dogs", "new", broken) if one.name == "dogs" else one for one in sources()]
    told = []
    index, done = update(first, given, CHOICES, None, refuse=lambda error: told.append(str(error)))
    assert [entry.name for entry in index.entries] == ["birds", "cats", "fish"]
    assert (done.removed, done.kept, done.refused) == (("dogs",), 3, ("dogs.pdf: scanned",))
    assert told == ["dogs.pdf: scanned"]
    assert "1 left out" in done.line()
    kept = update(first, given, CHOICES, None, keep=True, refuse=told.append)[0]
    assert kept.entries == first.entries  # as it was when it could be read
    with pytest.raises(BadInput, match="scanned"):
        update(first, given, CHOICES, None)
    with pytest.raises(BadInput, match=r"none of 1 documents can be read; the first: dogs\.pdf"):
        update(None, [given[1]], CHOICES, None, refuse=told.append)


def test_refusals():
    with pytest.raises(BadInput, match="no document with any text"):
        make(sources({"a": " \n"}), CHOICES, None)
    with pytest.raises(BadInput, match="the encoder reads 126 at once"):
        make(sources(), ChunkConfig(tokens=200), Embedder(encoder(), TOKENIZER))
    with pytest.raises(BadInput, match="--remove birdz: no such document"):
        without(make(sources(), CHOICES, None), ["birdz"])
