"""What a pretraining begins with: the batches of `drawn_once` are those of the training, and no row comes twice."""

import json
import random

import pytest
import torch

from linnet.batches.packing import PackedRows
from linnet.batches.windows import Windows
from linnet.core.errors import BadInput
from linnet.train.config import PretrainConfig
from linnet.train.precision import Precision
from linnet.train.pretraining import begin, drawn_once, read_corpus, with_tokenizer
from linnet.train.session import OneBatch

MODEL = {"context_length": 16, "num_layers": 1, "hidden_size": 32, "num_heads": 2, "ngram_buckets": 0}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def chosen(tmp_path, **more):
    corpus = tmp_path / "corpus.jsonl"
    draw = random.Random(7)  # no two stretches are the same text
    texts = ("".join(draw.choices("birds in a tree", k=draw.randrange(20, 60))) for _ in range(60))
    corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    choices = {"corpus": str(corpus), "tokenizer": "characters", "model": MODEL, "batch_size": 5, "steps": 40, **more}
    return with_tokenizer(PretrainConfig.build(choices, where="test"))


def test_the_vocabulary_of_the_model_is_the_tokenizers(tmp_path):
    cfg, tokenizer = chosen(tmp_path)
    assert cfg.model.vocab_size == tokenizer.vocab_size == 14


@pytest.mark.parametrize("packing", [False, True])
def test_rows_drawn_once_are_those_of_the_training_in_its_order(tmp_path, packing):
    cfg, tokenizer = chosen(tmp_path, packing=packing)
    _, batches = read_corpus(cfg, tokenizer)
    assert isinstance(batches, PackedRows if packing else Windows)
    count, found = drawn_once(cfg, batches)
    found = list(found)
    assert sum(len(batch.ids) for batch in found) == count
    assert count == (len(batches.rows) if packing else batches.windows_per_epoch)
    assert count % 5, "the last batch of the epoch is not a whole one, or this test shows less"
    source = begin(cfg, batches, Precision(torch.float32, torch.device("cpu"))).batches
    for batch in found:
        trained = source.next()
        size = len(batch.ids)
        assert torch.equal(batch.ids, trained.ids[:size])
        assert torch.equal(batch.targets, trained.targets[:size])
        assert (batch.documents is not None) == packing
    rows = [tuple(row) for batch in found for row in batch.ids.tolist()]
    assert len(set(rows)) == len(rows)


def test_a_short_training_draws_only_a_part(tmp_path):
    cfg, tokenizer = chosen(tmp_path, steps=2, accumulate=3)
    _, batches = read_corpus(cfg, tokenizer)
    count, found = drawn_once(cfg, batches)
    assert (count, len(list(found))) == (30, 6)
    one = cfg.but(overfit_one_batch=True)
    count, found = drawn_once(one, batches)
    assert (count, len(list(found))) == (5, 1)
    state = begin(one, batches, Precision(torch.float32, torch.device("cpu")))
    assert isinstance(state.batches, OneBatch)


def test_the_seed_decides_the_first_weights(tmp_path):
    cfg, tokenizer = chosen(tmp_path)
    _, batches = read_corpus(cfg, tokenizer)
    weights = [
        begin(cfg.but(seed=seed), batches, Precision(torch.float32, torch.device("cpu"))).model.embedding.weight
        for seed in (1, 1, 2)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_too_short_a_corpus_is_one_line(tmp_path):
    cfg, tokenizer = chosen(tmp_path, model={**MODEL, "context_length": 5000})
    with pytest.raises(BadInput, match="too short"):
        read_corpus(cfg, tokenizer)
