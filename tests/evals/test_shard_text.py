"""The text of a shard comes back exactly, a zero byte for each end token."""

from linnet.evals.shard_text import known_texts, text_of
from linnet.text.tokenizer import Tokenizer
from tests.evals.shards import TEXTS, write_shard
from tests.infer.networks import bpe


def test_text_has_a_zero_byte_for_each_end(tmp_path):
    for name, tokenizer in (("bpe", bpe()), ("characters", Tokenizer.train_characters(TEXTS))):
        shard = write_shard(tmp_path / name, tokenizer)
        assert text_of(shard, tokenizer) == b"".join(text.encode() + b"\0" for text in TEXTS)
        assert text_of(shard, tokenizer, 50) == text_of(shard, tokenizer)[-50:]


def test_without_ends_it_is_one_text(tmp_path):
    tokenizer = bpe()
    shard = write_shard(tmp_path / "stream", tokenizer, ends=False)
    assert text_of(shard, tokenizer) == "".join(TEXTS).encode()


def test_documents_are_known(tmp_path):
    tokenizer = bpe()
    known = known_texts(write_shard(tmp_path / "shard", tokenizer), tokenizer)
    assert set(TEXTS) <= known
    assert TEXTS[0][:-1] not in known
