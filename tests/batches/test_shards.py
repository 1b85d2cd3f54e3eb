"""Shards give back what was written, and refuse everything that is not theirs."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.batches.shards import Shard, ShardWriter, dtype_for
from linnet.core.errors import BadInput, Failed
from linnet.text.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train_characters(["abc é"])


def written(path, texts=("abc", "é a"), tokenizer=TOKENIZER, **options):
    with ShardWriter(path, tokenizer.hash, tokenizer.vocab_size, **options) as writer:
        for text in texts:
            writer.write(tokenizer.encode_array(text), text)
            writer.end_document(tokenizer.end_id)
    return Shard.open(path, tokenizer)


@settings(deadline=None, max_examples=30)
@given(documents=st.lists(st.lists(st.integers(0, 69_999)), min_size=1).filter(any), wide=st.booleans())
def test_what_was_written_comes_back(tmp_path_factory, documents, wide):
    path = tmp_path_factory.mktemp("shard") / "train"
    vocab_size = 70_000 if wide else 60_000
    documents = [[id % vocab_size for id in document] for document in documents]
    with ShardWriter(path, "0" * 64, vocab_size) as writer:
        for document in documents:
            for piece in (document[:2], document[2:]):
                writer.write(np.array(piece, dtype=np.int64), "")
            writer.end_document()
    shard = Shard.open(path)
    assert shard.ids.dtype == ("<u4" if wide else "<u2")
    assert [shard.document(number).tolist() for number in range(shard.header.documents)] == documents
    shard.verify()


def test_counts_and_names(tmp_path):
    shard = written(tmp_path / "train")
    assert (shard.tokens, shard.header.documents, shard.header.text_bytes) == (8, 2, 7)
    assert shard.bytes_per_token == 7 / 8
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train.bin", "train.documents.bin", "train.json"]
    assert Shard.open(tmp_path / "train.bin").header == Shard.open(tmp_path / "train.json").header == shard.header
    assert (tmp_path / "train.bin").read_bytes() == shard.ids.astype("<u2").tobytes()


def test_ids_cannot_be_changed(tmp_path):
    with pytest.raises(ValueError, match="read-only"):
        written(tmp_path / "train").ids[0] = 1


def test_a_vocabulary_too_large_for_the_type_is_refused(tmp_path):
    assert (dtype_for(65_536), dtype_for(65_537)) == ("uint16", "uint32")
    with pytest.raises(BadInput, match=r"65,537 does not fit uint16, which holds 65,536"):
        ShardWriter(tmp_path / "train", "0" * 64, 65_537, dtype="uint16")
    with pytest.raises(BadInput, match="cannot be of type int8"):
        ShardWriter(tmp_path / "train", "0" * 64, 10, dtype="int8")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [-1, 10])
def test_an_id_outside_the_vocabulary_is_refused_and_nothing_stays(tmp_path, wrong):
    with (
        pytest.raises(BadInput, match=f"id {wrong} is not in the vocabulary of 10"),
        ShardWriter(tmp_path / "train", "0" * 64, 10) as writer,
    ):
        writer.write(np.array([1, wrong]), "ab")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_rewrite_leaves_the_old_shard(tmp_path):
    before = written(tmp_path / "train")

    def interrupted():
        with ShardWriter(tmp_path / "train", TOKENIZER.hash, 10) as writer:
            writer.write(np.array([1]), "a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert Shard.open(tmp_path / "train", TOKENIZER).header == before.header
    assert len(list(tmp_path.iterdir())) == 3


def test_no_tokens_is_refused(tmp_path):
    with pytest.raises(BadInput, match="empty after cleaning"), ShardWriter(tmp_path / "train", "0" * 64, 10):
        pass


def test_the_tokenizer_of_another_model_is_refused(tmp_path):
    written(tmp_path / "train")
    with pytest.raises(BadInput, match="tokenizer of another model"):
        Shard.open(tmp_path / "train", Tokenizer.train_characters(["abd é"]))


def test_a_shard_cut_short_is_refused(tmp_path):
    written(tmp_path / "train")
    path = tmp_path / "train.bin"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(BadInput, match="14 bytes where its header says 16"):
        Shard.open(tmp_path / "train")


def test_a_missing_header_is_refused(tmp_path):
    written(tmp_path / "train")
    (tmp_path / "train.json").unlink()
    with pytest.raises(BadInput, match="needs its header"):
        Shard.open(tmp_path / "train")


def test_a_changed_bit_is_found_by_verify_and_a_wild_id_on_opening(tmp_path):
    shard = written(tmp_path / "train")
    path = tmp_path / "train.bin"
    good = path.read_bytes()
    path.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    with pytest.raises(Failed, match="damaged"):
        Shard.open(shard.path).verify()
    path.write_bytes(good[:1] + b"\x7f" + good[2:])
    with pytest.raises(BadInput, match="outside its vocabulary"):
        Shard.open(shard.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"magic": "other"}, "not the header"),
        ({"version": 99}, "shard version 99"),
        ({"dtype": "float32"}, "broken shard header"),
        ({"tokens": "8"}, "look at tokens"),
        ({"tokens": -8}, "broken shard header"),
        ({"largest_id": 4000}, "outside its vocabulary"),
        ({"extra": 1}, "broken shard header"),
    ],
)
def test_a_wrong_header_is_one_line(tmp_path, change, message):
    shard = written(tmp_path / "train")
    path = tmp_path / "train.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BadInput, match=message):
        Shard.open(shard.path)
