"""The rows that the X-ray looks into are those of the training, with words on where they come from."""

import json

import pytest
import torch

from linnet.artifacts import save_model
from linnet.explain.material import pretraining_material, tuning_material
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import PretrainConfig, SftConfig
from linnet.train.tuning import read_talks

TOKENIZER = Tokenizer.train_characters(["user assistant even yes no 0123456789?.\n"])


@pytest.fixture
def sft(tmp_path):
    config = ModelConfig(vocab_size=TOKENIZER.vocab_size, hidden_size=16, num_layers=1, context_length=64)
    save_model(tmp_path / "base", Decoder(config), TOKENIZER)
    rows = [{"prompt": f"even {n}?", "response": "no." if n % 2 else "yes"} for n in range(60)]
    (tmp_path / "talks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return SftConfig(parent=tmp_path / "base", data=str(tmp_path / "talks.jsonl"), batch_size=4, steps=3)


def test_the_rows_of_a_tuning_in_its_order(sft):
    found = tuning_material(sft)
    talks = read_talks(sft.data, sft.held_out, TOKENIZER, 4, 64, sft.seed)
    assert found.rows == min(12, len(talks.train.rows))
    for batch, drawn in zip(found.batches, (talks.train.batch(number) for number in range(3)), strict=False):
        assert torch.equal(batch.ids, drawn.ids[: len(batch.ids)])
        assert torch.equal(batch.targets, drawn.targets[: len(batch.ids)])
    assert found.numbers["conversations"] == len(talks.mixture.train)
    facts = dict(found.facts)
    assert "held out of" in facts["Where from"]
    assert facts["Conversations"] == f"{len(talks.mixture.train)} conversations"
    assert facts["Rows filled"] == f"{talks.train.filled:.1%}"
    assert tuning_material(sft.but(steps=99)).rows == len(talks.train.rows)
    assert tuning_material(sft.but(overfit_one_batch=True)).rows == 4


@pytest.mark.parametrize("packing", [False, True])
def test_the_rows_of_a_pretraining(packing, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    corpus = tmp_path / "rows.jsonl"
    corpus.write_text("".join(json.dumps({"text": "even " * (n % 9 + 1) + str(n)}) + "\n" for n in range(60)))
    model = ModelConfig(context_length=24)
    cfg = PretrainConfig(
        corpus=str(corpus), tokenizer="characters", model=model, packing=packing, batch_size=2, steps=4
    )
    found = pretraining_material(cfg)
    batches = list(found.batches)
    assert found.rows == sum(len(batch.ids) for batch in batches) == 8
    assert found.numbers["documents_cut"] > 5
    assert "longer than a row" in dict(found.facts)["Documents"]
    assert (found.lengths[2] is None) == packing
