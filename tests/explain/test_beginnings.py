"""The first step of a recipe: the rows it would read, the network that learns, and what is measured besides."""

import pytest
import torch

from linnet.explain.beginnings import begin
from linnet.explain.first_step import Measuring, places_in, rows_in
from linnet.model.config import ModelConfig
from linnet.train.config import PretrainConfig
from linnet.train.contrastive import contrast
from linnet.train.precision import Precision
from linnet.train.row_config import EmbedConfig
from tests.explain.plans import NOTHING_ELSE


def test_a_pretraining_begins_with_the_rows_it_would_read(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("the bird sings in a tree and waits for rain . " * 60)
    model = ModelConfig(context_length=32, num_layers=1, hidden_size=32, num_heads=2)
    cfg = PretrainConfig(corpus=str(corpus), tokenizer="characters", model=model, batch_size=4, eval_tokens=10)
    begun = begin(cfg, Precision(torch.float32, torch.device("cpu")), NOTHING_ELSE)
    assert rows_in(begun.rows(6)) == 6
    assert places_in(begun.rows(1)) == 32
    measuring = begun.measuring
    assert (measuring.before, measuring.batch) == (0, 32)
    assert 0 < measuring.each <= measuring.last
    assert torch.isfinite(begun.objective(begun.state.model, begun.rows(2)).total)


def test_a_search_begins_with_questions_and_their_passages():
    model = EmbedConfig().model.but(context_length=48, num_layers=1, hidden_size=32, num_heads=2)
    cfg = EmbedConfig(data="world/questions:40", tokenizer="characters", model=model, batch_size=4, held_out=0.5)
    begun = begin(cfg, Precision(torch.float32, torch.device("cpu")), NOTHING_ELSE)
    assert [rows_in(begun.rows(count)) for count in (1, 4, 9)] == [1, 4, 9]
    assert begun.measuring == Measuring(0, 20, 20, 4)
    assert 0.5 < begun.share <= 1
    batch = begun.rows(4)
    loss = begun.objective(begun.state.model, batch)
    again = contrast(begun.state.model, batch, cfg.temperature)
    assert int(loss.count) == 4
    assert loss.total.item() == pytest.approx(again.total.item())
