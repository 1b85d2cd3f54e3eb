"""A fine-tuning reads the corpus that a pretraining would, in rows of the parent's context."""

from pathlib import Path

from linnet.train.finetuning import as_pretraining
from linnet.train.row_config import FinetuneConfig


def test_the_same_choices_with_another_context():
    cfg = FinetuneConfig(parent=Path("p"), corpus="book.txt", packing=True, batch_size=3, seed=7, held_out=0.2)
    found = as_pretraining(cfg, 77)
    assert found.model.context_length == 77
    for name in ("corpus", "packing", "batch_size", "seed", "held_out", "steps", "optimizer"):
        assert getattr(found, name) == getattr(cfg, name)
