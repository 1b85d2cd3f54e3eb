"""Cutting long texts changes no id; files of a vocabulary are checked."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.core.errors import BadInput
from linnet.text.byte_level import build_gpt2, canonical, pieces
from linnet.text.token_bytes import byte_symbols
from linnet.text.tokenizer import Tokenizer

BPE = Tokenizer.train_bpe(["a b  c\n\n the the cat's  \n hat '12 34 ... "] * 3, 300)


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="ab12٣½.' \n\t é️　", max_size=60), st.integers(1, 10))
def test_pieces_give_the_ids_of_the_whole(text, size):
    parts = list(pieces(text, size))
    assert "".join(parts) == text
    assert [id for part in BPE.encode_batch(parts) for id in part] == BPE.encode(text)


def test_every_digit_is_a_token_of_its_own():
    trained = Tokenizer.train_bpe(["2024 12 12 2024 in 2024, 12 "] * 50, 400)
    assert [trained.decode([id]) for id in trained.encode("in 2024")] == ["in", " ", "2", "0", "2", "4"]


def test_pieces_really_cut():
    assert list(pieces("one two three four", 4)) == ["one two", " three", " four"]


def test_merges_of_another_vocabulary_are_refused(tmp_path):
    (tmp_path / "encoder.json").write_text(json.dumps({**byte_symbols(), "<|endoftext|>": 256}))
    (tmp_path / "vocab.bpe").write_text("#version: 0.2\nqq zz\n", encoding="utf-8")
    with pytest.raises(BadInput, match="does not belong to encoder"):
        build_gpt2(tmp_path)
    (tmp_path / "vocab.bpe").write_text("#version: 0.2\na b c\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"vocab.bpe:2: not a merge"):
        build_gpt2(tmp_path)
    (tmp_path / "encoder.json").write_text('{"a": 0}')
    with pytest.raises(BadInput, match="255 of the 256 byte symbols are missing"):
        build_gpt2(tmp_path)


def test_canonical_form_ignores_layout_only():
    assert canonical({"a": 1, "b": [1, 2]}) == canonical(json.loads('{ "b": [1, 2],\n "a": 1 }'))
    assert canonical({"b": [2, 1]}) != canonical({"b": [1, 2]})
