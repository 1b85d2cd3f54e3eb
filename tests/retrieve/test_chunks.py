"""Chunks: exact places, whole sentences, never too long, nothing lost, whatever the text."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.core.errors import BadInput
from linnet.retrieve.chunks import chunks, sentences, words_and_marks


def texts_of(text, spans):
    return [text[start:end] for start, end in spans]


def test_sentences_by_hand():
    text = 'He said "Stop!" Then he left.  It was 3.5 miles...\n\nA title\n\nNo end'
    assert texts_of(text, sentences(text)) == [
        'He said "Stop!"',
        "Then he left.",
        "It was 3.5 miles...",
        "A title",
        "No end",
    ]
    assert sentences(" \n\t ") == []


def test_chunks_by_hand():
    text = "A b c. D e f. G h i. J k l."  # four tokens a sentence
    assert texts_of(text, chunks(text, 8, 0)) == ["A b c. D e f.", "G h i. J k l."]
    assert texts_of(text, chunks(text, 8, 4)) == ["A b c. D e f.", "D e f. G h i.", "G h i. J k l."]
    assert texts_of(text, chunks(text, 100, 10)) == [text]
    text = "A b c. D. E f g h."  # what is repeated gives way to what is new
    assert texts_of(text, chunks(text, 6, 3)) == ["A b c. D.", "E f g h."]


def test_a_chunk_that_is_half_full_ends_with_its_paragraph():
    text = "A b c.\n\nD e f. G h i."
    assert texts_of(text, chunks(text, 8, 0)) == ["A b c.", "D e f. G h i."]
    assert texts_of(text, chunks(text, 12, 0)) == ["A b c.\n\nD e f. G h i."]


def test_a_long_sentence_is_cut_between_words_and_a_long_word_anywhere():
    text = " ".join(f"w{n}" for n in range(40))
    found = texts_of(text, chunks(text, 8, 0))
    assert " ".join(found) == text
    assert max(words_and_marks(found)) <= 8
    letters = "x" * 100
    assert "".join(texts_of(letters, chunks(letters, 8, 0, lambda texts: [len(text) for text in texts]))) == letters


def test_an_overlap_above_half_is_refused():
    with pytest.raises(BadInput, match="an overlap of 5 tokens for chunks of 8"):
        chunks("A.", 8, 5)


@settings(max_examples=120, deadline=None)
@given(st.text(alphabet='ab .!?\n"é。', max_size=150), st.integers(2, 12), st.data())
def test_whatever_the_text(text, most, data):
    overlap = data.draw(st.integers(0, most // 2))
    found = chunks(text, most, overlap)
    covered = set()
    for start, end in found:
        assert 0 <= start < end <= len(text)
        assert not text[start].isspace()
        assert not text[end - 1].isspace()
        covered |= set(range(start, end))
    assert all(place in covered for place, letter in enumerate(text) if not letter.isspace())
    assert sorted(set(found)) == found  # each begins and ends later than the one before
    assert [end for _, end in found] == sorted({end for _, end in found})
    sizes = words_and_marks(texts_of(text, found))
    assert max(sizes, default=0) <= most
    if not overlap:
        assert all(first[1] <= second[0] for first, second in pairwise(found))
