"""The first step of a recipe: rows of any batch, as wide as they were, and what is measured besides."""

import pytest
import torch

from linnet.batches.batch import Batch
from linnet.batches.labelled import LabelledBatch
from linnet.batches.pairs import PairBatch
from linnet.batches.source_target import SourceTargetBatch
from linnet.core.errors import BadInput
from linnet.explain.beginnings import begin, chosen, places_in, rows_in
from linnet.model.config import ModelConfig
from linnet.train.config import DPOConfig, PretrainConfig
from linnet.train.precision import Precision


def rows(count: int, width: int = 5) -> Batch:
    ids = torch.arange(count * width).view(count, width)
    return Batch(ids, ids + 1)


def test_rows_of_a_text_may_come_again():
    found = chosen(rows(3), [0, 2, 0])
    assert found.ids[:, 0].tolist() == [0, 10, 0]
    assert (rows_in(found), places_in(found)) == (3, 15)


def test_a_pair_stays_a_pair():
    pairs = PairBatch(rows(4), torch.tensor([0.0, 1.0, 2.0, 3.0]))  # two pairs: rows 0 and 2, 1 and 3
    found = chosen(pairs, [1, 1, 0])
    assert rows_in(found) == 3
    assert found.rows.ids[:, 0].tolist() == [5, 5, 0, 15, 15, 10]
    assert found.reference.tolist() == [1.0, 1.0, 0.0, 3.0, 3.0, 2.0]


def test_sources_and_labels_stay_with_their_rows():
    pairs = chosen(SourceTargetBatch(rows(2, 3).ids, torch.tensor([3, 2]), rows(2)), [1])
    assert (pairs.source.tolist(), pairs.source_lengths.tolist(), rows_in(pairs)) == ([[3, 4, 5]], [2], 1)
    assert places_in(pairs) == 8
    texts = chosen(LabelledBatch(rows(2).ids, torch.tensor([5, 4]), torch.tensor([0, 1])), [1, 0])
    assert (texts.labels.tolist(), texts.lengths.tolist()) == ([1, 0], [4, 5])


def test_a_pretraining_begins_with_the_rows_it_would_read(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("the bird sings in a tree and waits for rain . " * 60)
    model = ModelConfig(context_length=32, num_layers=1, hidden_size=32, num_heads=2)
    cfg = PretrainConfig(corpus=str(corpus), tokenizer="characters", model=model, batch_size=4, eval_tokens=10)
    begun = begin(cfg, Precision(torch.float32, torch.device("cpu")))
    assert rows_in(begun.rows(6)) == 6
    assert places_in(begun.rows(1)) == 32
    measuring = begun.measuring
    assert (measuring.before, measuring.batch) == (0, 32)
    assert 0 < measuring.each <= measuring.last
    assert torch.isfinite(begun.objective(begun.state.model, begun.rows(2)).total)


def test_replies_that_are_yet_to_be_written_cannot_be_planned_for(tmp_path):
    cfg = DPOConfig(parent=tmp_path, pairs="none", pairs_from="sums:10")
    with pytest.raises(BadInput, match="give --pairs"):
        begin(cfg, Precision(torch.float32, torch.device("cpu")))
