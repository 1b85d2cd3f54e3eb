"""The rows that the X-ray shows of the newer recipes are those of their trainings, and where they are from is said."""

import json

import pytest
import torch

from linnet.artifacts import save_model
from linnet.batches.batch import IGNORE
from linnet.explain.row_material import rows_of_recipe
from linnet.explain.xray import examine
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer
from linnet.train.row_config import (
    BOTH_WAYS,
    TWO_SIDES,
    ClassifyConfig,
    FinetuneConfig,
    MlmConfig,
    Seq2SeqConfig,
    SummarizeConfig,
)
from linnet.train.two_sides import read_two_sides

TINY = {"num_layers": 1, "hidden_size": 16, "num_heads": 2, "context_length": 24}


def looked_at(cfg):
    found = rows_of_recipe(cfg)
    return found, examine(found.batches, found.tokenizer, 1000, 2, found.ends)


def test_pairs_in_their_order():
    cfg = Seq2SeqConfig(data="sorting:40", held_out=0.2, batch_size=4, steps=3, model=TWO_SIDES.but(**TINY))
    found, xray = looked_at(cfg)
    assert found.rows == xray.counts["rows"] == 12
    assert xray.counts["stops_learned"] == 12
    assert xray.warnings() == []
    sides, _ = read_two_sides(cfg, None)
    first = next(rows_of_recipe(cfg).batches)
    drawn = sides.train.batch(0)
    assert first.ids[0, : drawn.source_lengths[0]].tolist() == drawn.source[0, : drawn.source_lengths[0]].tolist()
    learned = first.targets[0][first.targets[0] != IGNORE]
    assert learned.tolist() == drawn.target.targets[0][drawn.target.targets[0] != IGNORE].tolist()
    assert rows_of_recipe(cfg.but(overfit_one_batch=True)).rows == 4


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "rows.jsonl"
    rows = [{"text": f"text {n} " * (n % 5 + 2), "label": n % 2} for n in range(60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_hidden_tokens(corpus):
    cfg = MlmConfig(corpus=corpus, tokenizer="characters", model=BOTH_WAYS.but(**TINY), batch_size=4, steps=3)
    found, xray = looked_at(cfg)
    assert found.rows == 12
    assert 0.1 < xray.numbers()["learned_share"] < 0.18
    assert xray.warnings() == []
    assert "15% of each row" in dict(found.facts)["Hidden"]


def test_labels(corpus):
    cfg = ClassifyConfig(data=corpus, tokenizer="characters", model=BOTH_WAYS.but(**TINY), batch_size=4, steps=3)
    found, xray = looked_at(cfg)
    assert xray.counts["learned"] == found.rows == 12
    assert " 0" in dict(found.facts)["Classes"]
    assert xray.counts["wrong_targets"] == 0


def test_a_text_or_chats_of_a_given_decoder(corpus, tmp_path):
    tokenizer = Tokenizer.train_characters(
        ["text 0123456789 abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,:'!?-\n"]
    )
    config = ModelConfig(vocab_size=tokenizer.vocab_size, **{**TINY, "context_length": 600})
    save_model(tmp_path / "base", Decoder(config), tokenizer)
    text, xray = looked_at(FinetuneConfig(parent=tmp_path / "base", corpus=corpus, batch_size=2, steps=2))
    assert text.rows <= 4
    assert xray.numbers()["learned_share"] == 1
    chats, xray = looked_at(SummarizeConfig(parent=tmp_path / "base", data="world/dialogues:8", batch_size=2, steps=2))
    assert "conversations" in dict(chats.facts)["Conversations"]
    assert 0 < xray.numbers()["learned_share"] < 0.6
    new = rows_of_recipe(
        SummarizeConfig(data="world/dialogues:8", tokenizer="characters", model=TWO_SIDES.but(context_length=600))
    )
    assert "a row is the source" in dict(new.facts)["Pairs"]
    assert isinstance(next(new.batches).ids, torch.Tensor)
