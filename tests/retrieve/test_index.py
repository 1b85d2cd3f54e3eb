"""Search: by words, by meaning and by both; places are exact; weak evidence is known as such."""

from dataclasses import replace

import pytest

from linnet.core.errors import BadInput
from linnet.retrieve.config import ChunkConfig, EvidenceConfig
from linnet.retrieve.dense import Embedder
from linnet.retrieve.fusion import fused
from linnet.retrieve.making import make
from tests.retrieve.networks import TEXTS, TOKENIZER, encoder, sources

CHOICES = ChunkConfig(tokens=60, overlap=20)


@pytest.fixture(scope="module")
def index():
    return make(sources(), CHOICES, Embedder(encoder(), TOKENIZER), "h")


def test_by_words(index):
    found = index.search("What does a linnet eat, seeds?", 3, by="words")
    assert found[0].document == "birds"
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(one.score == one.words > 0 and one.meaning is None for one in found)
    assert index.search("xyzzy", 3, by="words") == []


def test_places_are_exact(index):
    for one in index.search("fish in the river", 20):
        assert one.text == TEXTS[one.document][one.start : one.end]
        assert one.title == one.document.title()


def test_by_meaning_a_text_is_nearest_to_itself(index):
    for number in range(len(index.chunks)):
        best = index.search(index.text_of(number), 1, by="meaning")[0]
        assert best.text == index.text_of(number)
        assert best.score == best.meaning == pytest.approx(1, abs=1e-6)


def test_fused_is_the_fusion_of_both(index):
    question = "the large fish of the river"
    places = {(one.document, one.start): n for n, one in enumerate(index.search(question, 99, by="meaning"))}
    number = dict(enumerate(places))
    rankings = [
        [places[one.document, one.start] for one in index.search(question, 99, by=by)] for by in ("words", "meaning")
    ]
    wanted = [number[item] for item, _ in fused(rankings)]
    scores = sorted(round(score, 12) for _, score in fused(rankings))
    found = index.search(question, 99)
    assert {(one.document, one.start) for one in found} == set(wanted)
    assert sorted(round(one.score, 12) for one in found) == scores
    assert (found[0].document, found[0].start) == wanted[0]


def test_without_an_encoder_it_is_by_words():
    plain = make(sources(), CHOICES, None)
    assert [one.document for one in plain.search("linnet", 2)] == ["birds"]
    with pytest.raises(BadInput, match="no encoder"):
        plain.search("linnet", by="meaning")
    with pytest.raises(BadInput, match="0 chunks"):
        plain.search("linnet", 0)


def test_weak_evidence(index):
    assert not index.strong(index.search("Who invented the telephone exchange of Bern?"))
    found = index.search("a linnet sings in the hedge", 9)
    assert index.strong(found) == [one for one in found if one.coverage >= index.weak_below] == found[:1]
    assert not replace(index, weak_below=1.1).strong(found)


def test_evidence_is_what_it_was_found_to_be(index):
    weighed = replace(index, evidence=EvidenceConfig(coverage=2, words=0.5, meaning=-3), weak_below=0.0)
    for by in ("words", "meaning", "fused"):  # a search by words gets the cosines that its evidence asks for
        for one in weighed.search("a linnet sings in the hedge", 9, by):
            assert weighed.strength(one) == pytest.approx(2 * one.coverage + 0.5 * one.words - 3 * one.meaning)
            assert (one in weighed.strong([one])) == (weighed.strength(one) >= 0)
    assert weighed.search("linnet", 2, "words")[0].document == "birds"
    assert index.search("linnet", 2, "words")[0].meaning is None
    plain = make(sources(), CHOICES, None)
    [one] = replace(plain, evidence=weighed.evidence).search("linnet", 1)
    assert weighed.strength(one) == pytest.approx(2 * one.coverage + 0.5 * one.words)


@pytest.mark.parametrize(
    ("engine", "package"), [("faiss", "faiss"), pytest.param("qdrant", "qdrant_client", marks=pytest.mark.slow)]
)
def test_every_engine_gives_the_same_ranking(engine, package, index):
    pytest.importorskip(package)
    other = replace(index, engine=engine)
    for question in ("linnet", "what do dogs love", "xyzzy"):
        assert other.search(question, 10) == index.search(question, 10)
