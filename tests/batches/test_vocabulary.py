"""The tokenizer of a corpus: BPE never reads held-out text, characters know all of it."""

import json

import pytest

from linnet.batches.prepare import Source, prepare
from linnet.batches.vocabulary import tokenizer_for, tokenizer_of_texts
from linnet.core.errors import BadInput
from linnet.data.cleaning import CleaningReport
from linnet.data.split import split_documents
from linnet.text.tokenizer import Tokenizer

STORIES = [f"Story {number}: a bird sang on day {number * 7}." for number in range(200)]


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "stories.jsonl"
    path.write_text("\n".join(json.dumps({"text": story}) for story in STORIES))
    return path


def test_bpe_reads_the_train_side_only(corpus):
    source = Source(str(corpus))
    tokenizer = tokenizer_for("bpe", source, 300)
    train, held = split_documents(source.cleaned(CleaningReport()), 0.1)
    assert held
    assert tokenizer.hash == Tokenizer.train_bpe([document.text for document in train], 300).hash
    assert tokenizer.metadata.trained_characters == sum(len(document.text) for document in train)


def test_characters_know_the_held_out_text_too(tmp_path):
    (tmp_path / "train.jsonl").write_text('{"text": "abc"}')
    (tmp_path / "test.jsonl").write_text('{"text": "xyz"}')
    tokenizer = tokenizer_for("characters", Source(str(tmp_path), held_out_split="test"), 0)
    assert tokenizer.decode(tokenizer.encode("abcxyz")) == "abcxyz"
    assert prepare(tmp_path, tokenizer, tmp_path / "cache", held_out_split="test").held_out is not None


def test_a_folder_is_loaded(corpus, tmp_path):
    trained = tokenizer_for("characters", Source(str(corpus)), 0)
    assert trained.kind == "characters"
    trained.save(tmp_path / "saved")
    assert tokenizer_for(str(tmp_path / "saved"), Source(str(corpus)), 0).hash == trained.hash
    with pytest.raises(BadInput, match=r"no such folder.*Did you mean \"characters\""):
        tokenizer_for("character", Source(str(corpus)), 0)


def test_a_tokenizer_of_given_texts(tmp_path):
    assert tokenizer_of_texts("characters", iter(["abc", "bd"]), 300).decode(range(8)) == "abcd"
    learned = tokenizer_of_texts("bpe", STORIES, 300)
    assert 256 < learned.vocab_size <= 300
    learned.save(tmp_path)
    assert tokenizer_of_texts(str(tmp_path), [], 1).hash == learned.hash
    with pytest.raises(BadInput, match="nor one of bpe, characters"):
        tokenizer_of_texts("bpee", STORIES, 300)
