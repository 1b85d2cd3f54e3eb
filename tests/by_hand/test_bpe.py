"""Byte-pair encoding by hand: the merges and ids of the `tokenizers` library, and the worked example of the file."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Library

from linnet.by_hand import bpe
from linnet.data.world import documents
from linnet.text.byte_level import build_byte_level
from linnet.text.token_bytes import byte_symbols
from linnet.text.tokenizer import SPECIALS

STORIES = list(documents("train", 0, 60))
ODD = "don't 'sS they'll''d  naïve  \n\n\tΩμέγα 東京123½٣ 👩‍🚀 a\u00a0b\u3000 x'tx  \r\n end  "


def library(texts, vocab_size, specials=SPECIALS):
    """Train as production does; return the library's tokenizer and its merges as pairs of ids."""
    described, _ = build_byte_level(texts, vocab_size, specials)
    parsed = json.loads(described)["model"]
    return Library.from_str(described), tuple((parsed["vocab"][a], parsed["vocab"][b]) for a, b in parsed["merges"])


def assert_same(texts, vocab_size, samples):
    reference, merges = library(texts, vocab_size)
    ours = bpe.train(texts, vocab_size, SPECIALS)
    assert ours.merges == merges
    symbols = byte_symbols()
    for id, token in enumerate(ours.tokens[len(SPECIALS) :], start=len(SPECIALS)):
        assert bytes(symbols[sign] for sign in reference.id_to_token(id)) == token
    assert reference.get_vocab_size() == len(ours.tokens)
    for text in samples:
        ids = ours.encode(text)
        assert ids == reference.encode(text, add_special_tokens=False).ids
        assert ours.decode(ids) == text
    made = ours.tokens[len(SPECIALS) :]
    assert len(set(made)) == len(made) == 256 + len(ours.merges)


def test_the_worked_example():
    trained = bpe.train(["hug hugs hug bun"], 300)
    assert list(bpe.pieces("hug hugs hug bun")) == ["hug", " hugs", " hug", " bun"]
    assert [trained.tokens[a] + b"+" + trained.tokens[b] for a, b in trained.merges] == [b"h+u", b"hu+g", b" +hug"]
    assert [trained.tokens[id] for id in trained.encode(" hugs")] == [b" hug", b"s"]


def test_stories_and_odd_text_give_the_ids_and_merges_of_the_library():
    assert_same(STORIES, 700, [*STORIES[:20], ODD, "", " ", "\n"])


def test_ties_and_overlaps_go_as_in_the_library():
    assert_same(["abab baba aaaa aaa", "abcabc bcbc cabcab", "zzzzz zz zzz"], 290, ["aaaaa abcab zzzzzzz cabba"])


def test_the_vocabulary_ends_with_the_pairs_that_stand_twice():
    assert len(bpe.train(["ab cd"], 1000).tokens) == 256
    assert_same(["one two one two"], 1000, ["one two three"])


# Letters that make many ties, and signs from all classes of the cut.
signs = st.sampled_from("aaabbc 's\n\t1½éßΩ東👩.,'-_\u00a0\u0301")


@given(
    texts=st.lists(st.text(signs, max_size=40), min_size=1, max_size=6), extra=st.integers(0, 25), sample=st.text(signs)
)
@settings(deadline=None, max_examples=60)
def test_random_texts_give_the_ids_and_merges_of_the_library(texts, extra, sample):
    assert_same(["a", *texts], 260 + extra, [sample, *texts])


@given(st.text(max_size=60))
@settings(deadline=None, max_examples=40)
def test_any_text_comes_back(text):
    trained = bpe.train(STORIES[:3], 280)
    assert "".join(bpe.pieces(text)) == text
    assert trained.decode(trained.encode(text)) == text


def test_a_letter_cut_in_two_is_no_crash():
    trained = bpe.train(["é"], 256)
    assert trained.decode(trained.encode("é")[:1]) == "\ufffd"


def test_replacing_goes_from_the_left_and_never_into_what_it_made():
    assert bpe.replace([1, 1, 1], (1, 1), 9) == [9, 1]
    assert bpe.replace([1, 2, 1, 2, 1], (1, 2), 1) == [1, 1, 1]
    assert bpe.replace([], (1, 2), 3) == []


def test_a_vocabulary_too_small_for_its_bytes_is_refused():
    with pytest.raises(ValueError, match="vocab_size 259 is below 260"):
        bpe.train(["a"], 259, SPECIALS)
