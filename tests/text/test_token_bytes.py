"""The bytes behind each token, for the decoders of the common families."""

import pytest
from tokenizers import Tokenizer, decoders, models

from linnet.core.errors import BadInput
from linnet.text.token_bytes import byte_symbols, token_table


def test_byte_symbols_are_gpt2s_alphabet():
    from tokenizers.pre_tokenizers import ByteLevel

    symbols = byte_symbols()
    assert set(symbols) == set(ByteLevel.alphabet())
    assert sorted(symbols.values()) == list(range(256))
    assert (symbols["Ġ"], symbols["Ċ"], symbols["A"]) == (32, 10, 65)


def test_a_sentencepiece_style_decoder_is_read_like_the_library_does():
    words = ["▁the", "▁cat", "s", "<0xF0>", "<0x9F>", "<0x90>", "<0xA6>", "▁"]
    vocabulary = {word: id for id, word in enumerate(words)}
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    backend = Tokenizer(models.BPE(vocabulary, [], byte_fallback=True))
    backend.decoder = decoders.Sequence(steps)
    import json

    table, drop_space = token_table(json.loads(backend.to_str()), "here")
    assert drop_space
    for ids in ([0, 1, 2], [7, 0], [3, 4, 5, 6, 1], [2, 0]):
        text = b"".join(table[id] for id in ids).decode().removeprefix(" ")
        assert text == backend.decode(ids)


def test_added_pieces_and_specials():
    description = {
        "model": {"vocab": {"a": 0, "<s>": 1, "é b": 2}},
        "added_tokens": [
            {"id": 1, "content": "<s>", "special": True},
            {"id": 2, "content": "é b", "special": False},
            {"id": 5, "content": "<think>", "special": False},
        ],
        "decoder": {"type": "ByteLevel"},
    }
    table, drop_space = token_table(description, "here")
    assert table == [b"a", b"", "é b".encode(), b"", b"", b"<think>"]
    assert not drop_space


def test_a_wild_id_does_not_fill_the_memory():
    with pytest.raises(BadInput, match="largest id is 4,000,000,000"):
        token_table({"model": {"vocab": {"a": 4_000_000_000}}}, "here")


@pytest.mark.parametrize(
    "decoder",
    [
        ["a"],
        {"type": "WordPiece"},
        {"type": "Sequence", "decoders": [{"type": "Strip", "content": "x", "start": 1, "stop": 0}]},
    ],
)
def test_a_decoder_that_loses_text_is_refused(decoder):
    with pytest.raises(BadInput, match="here: "):
        token_table({"model": {"vocab": {"a": 0}}, "decoder": decoder}, "here")
