"""From corpus to shards: exactly the text's tokens, counted bytes, and found again only when nothing changed."""

import json

import numpy as np
import pytest

from linnet.batches import prepare as module
from linnet.batches.prepare import cache_folder, prepare
from linnet.core.errors import BadInput
from linnet.data import text_files
from linnet.data.world import documents as world_documents
from linnet.text.tokenizer import Tokenizer

STORIES = [f"Story {number}. A bird sang on day {number * 7}." for number in range(300)]
BPE = Tokenizer.train_bpe(STORIES, 300)


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "stories.jsonl"
    path.write_text("\n".join(json.dumps({"text": story}) for story in [*STORIES, "", STORIES[0]]))
    return path


def decoded(shard, tokenizer):
    return [tokenizer.decode(shard.document(number)) for number in range(shard.header.documents)]


def test_every_document_is_once_in_one_shard_and_ends(corpus, tmp_path):
    made = prepare(corpus, BPE, tmp_path / "cache")
    assert made.split == "document"
    sides = [decoded(shard, BPE) for shard in (made.train, made.held_out)]
    assert sorted(sides[0] + sides[1]) == sorted(STORIES)
    assert 10 < len(sides[1]) < 60
    for shard, side in zip((made.train, made.held_out), sides, strict=True):
        assert all(shard.document(number)[-1] == BPE.end_id for number in range(shard.header.documents))
        assert shard.header.text_bytes == sum(len(text.encode()) for text in side)
        assert BPE.byte_lengths()[shard.ids].sum() == shard.header.text_bytes
        shard.verify()
    assert (made.report.read, made.report.empty, made.report.duplicates) == (302, 1, 1)


def test_the_second_time_it_is_found_and_only_when_nothing_changed(corpus, tmp_path):
    cache = tmp_path / "cache"
    first = prepare(corpus, BPE, cache)
    again = prepare(corpus, BPE, cache)
    assert (first.reused, again.reused) == (False, True)
    assert again.data_hashes() == first.data_hashes()
    assert again.report == first.report
    assert not prepare(corpus, BPE, cache, held_out=0.2).reused
    assert not prepare(corpus, Tokenizer.train_bpe(STORIES, 275), cache).reused
    assert prepare(corpus, BPE, cache).reused  # each keeps its own place
    corpus.write_text(corpus.read_text().replace("bird", "word"))
    assert not prepare(corpus, BPE, cache).reused


def test_a_damaged_shard_is_made_anew(corpus, tmp_path):
    first = prepare(corpus, BPE, tmp_path / "cache")
    (first.folder / "train.bin").write_bytes(b"")
    second = prepare(corpus, BPE, tmp_path / "cache")
    assert not second.reused
    assert second.data_hashes() == first.data_hashes()


def test_one_text_is_cut_in_two_without_end_tokens(tmp_path):
    path = tmp_path / "a.txt"
    text = "To be, or not to be. " * 50
    path.write_text(text)
    tokenizer = Tokenizer.train_characters([text])
    made = prepare(path, tokenizer, tmp_path / "cache")
    assert made.split == "position"
    cut = int(len(text) * 0.9)
    assert tokenizer.decode(made.train.ids) == text[:cut]
    assert tokenizer.decode(made.held_out.ids) == text[cut:]
    assert tokenizer.end_id not in np.concatenate([made.train.ids, made.held_out.ids])


def test_pieces_and_batches_of_any_size_give_the_same_shards(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text(" ".join(STORIES))
    (tmp_path / "b.txt").write_text("\n".join(STORIES[::-1]))
    for corpus, documents in ((path, 1), (tmp_path, 2)):
        whole = prepare(corpus, BPE, tmp_path / "one")
        with monkeypatch.context() as patch:
            patch.setattr(text_files, "PIECE", 200)
            patch.setattr(module, "BATCH_CHARACTERS", 300)
            pieces = prepare(corpus, BPE, tmp_path / "two")
        assert pieces.data_hashes() == whole.data_hashes()
        assert pieces.train.starts.tolist() == whole.train.starts.tolist()
        assert pieces.train.header.documents == pieces.held_out.header.documents == documents


def test_another_split_can_be_held_out(tmp_path):
    for split, texts in {"train": ["one", "two"], "validation": ["three"]}.items():
        (tmp_path / f"{split}.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    made = prepare(tmp_path, BPE, tmp_path / "cache", held_out_split="validation")
    assert decoded(made.train, BPE) == ["one", "two"]
    assert decoded(made.held_out, BPE) == ["three"]
    (tmp_path / "validation.jsonl").write_text('{"text": "four"}')
    assert not prepare(tmp_path, BPE, tmp_path / "cache", held_out_split="validation").reused


def test_the_small_world_holds_out_documents_of_its_validation_split(tmp_path):
    made = prepare("world:60:5", BPE, tmp_path / "cache")
    assert made.split == "own split"
    assert decoded(made.train, BPE) == list(world_documents("train", 5, 60))
    assert decoded(made.held_out, BPE) == list(world_documents("validation", 5, 6))
    assert prepare("world:60:5", BPE, tmp_path / "cache").reused
    assert not prepare("world:60:6", BPE, tmp_path / "cache").reused
    assert prepare("world:60:5", BPE, tmp_path / "cache", held_out=0).held_out is None


def test_nothing_held_out(corpus, tmp_path):
    made = prepare(corpus, BPE, tmp_path / "cache", held_out=0)
    assert made.held_out is None
    assert made.train.header.documents == 300


def test_too_little_text_is_one_line_and_leaves_nothing(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a")
    with pytest.raises(BadInput, match=r"a.txt: too little text, none left for train: read 1 documents"):
        prepare(path, BPE, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_unknown_character_is_named_with_its_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("abc" * 9 + "d" + "abc" * 99)
    with pytest.raises(BadInput, match=r"a\.txt: character 'd' .* at position 27 "):
        prepare(path, Tokenizer.train_characters(["abc"]), tmp_path / "cache")


def test_the_cache_is_where_the_user_wants_it(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "linnet" / "corpora"


def test_shakespeare_has_nanogpts_counts(shared_data, tmp_path):
    path = shared_data / "tinyshakespeare" / "input.txt"
    tokenizer = Tokenizer.train_characters([path.read_text()])
    made = prepare(path, tokenizer, tmp_path)
    assert (made.train.tokens, made.held_out.tokens) == (1_003_854, 111_540)
