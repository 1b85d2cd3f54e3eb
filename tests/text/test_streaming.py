"""Streamed text equals decoded text, and never holds a broken character on the way."""

from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.text.streaming import StreamDecoder
from linnet.text.tokenizer import Tokenizer

BPE = Tokenizer.train_bpe(["one two 🐦 drei – vier"], 300)


@settings(deadline=None)
@given(st.text())
def test_pieces_of_good_text_never_hold_a_replacement_character(text):
    stream = BPE.stream()
    pieces = [stream.push(id) for id in BPE.encode(text)]
    assert "".join(pieces) == text
    assert stream.flush() == ""


@settings(deadline=None)
@given(st.lists(st.integers(0, BPE.vocab_size - 1)))
def test_pieces_of_any_ids_join_to_the_decoded_text(ids):
    stream = BPE.stream()
    assert "".join([stream.push(id) for id in ids]) + stream.flush() == BPE.decode(ids)


def test_a_character_is_held_back_until_it_is_whole():
    stream = StreamDecoder([b"\xf0\x9f", b"\x90", b"\xa6", b"a"], drop_space=False)
    assert [stream.push(id) for id in (0, 1, 2, 3)] == ["", "", "🐦", "a"]
    assert stream.push(0) == ""
    assert stream.flush() == "�"


def test_one_leading_space_is_dropped_only_at_the_start():
    stream = StreamDecoder([b" a", b" b"], drop_space=True)
    assert [stream.push(0), stream.push(1)] == ["a", " b"]
