"""What learning from hidden tokens begins with: room for the mask, the same held-out masks, what nothing costs."""

import json
import math

import pytest
import torch

from linnet.batches.batch import IGNORE
from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig
from linnet.train.masking import network, read_hidden, with_room_for_the_mask
from linnet.train.precision import Precision
from linnet.train.pretraining import with_tokenizer
from linnet.train.row_config import BOTH_WAYS, MlmConfig


@pytest.fixture
def cfg(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    corpus = tmp_path / "rows.jsonl"
    corpus.write_text("".join(json.dumps({"text": "aaab" * (n % 9 + 3) + str(n)}) + "\n" for n in range(80)))
    model = BOTH_WAYS.but(num_layers=1, hidden_size=16, num_heads=2, context_length=16)
    return MlmConfig(corpus=str(corpus), tokenizer="characters", model=model, batch_size=4)


@pytest.mark.parametrize("packing", [False, True])
def test_rows_masks_and_what_common_words_get(cfg, packing):
    cfg, tokenizer = with_tokenizer(cfg.but(packing=packing))
    cfg = with_room_for_the_mask(cfg, tokenizer)
    assert cfg.model.vocab_size == tokenizer.vocab_size + 1
    hidden = read_hidden(cfg, tokenizer)
    first, again = (torch.cat([batch.targets.flatten() for batch in hidden.held_out()]) for _ in range(2))
    assert torch.equal(first, again)
    common = hidden.common_words()
    [a] = tokenizer.encode("a")
    wanted = first[first != IGNORE]
    assert common["accuracy"] == pytest.approx(float((wanted == a).float().mean()))
    model = network(cfg, None)
    numbers, count = hidden.measure(model, Precision(torch.float32, torch.device("cpu")))
    assert count == len(wanted)
    assert numbers["loss"] == pytest.approx(math.log(cfg.model.vocab_size), abs=0.1)
    assert common["loss"] < numbers["loss"]
    assert network(cfg, model) is model


def test_only_an_encoder_guesses_from_both_sides(cfg):
    cfg, tokenizer = with_tokenizer(cfg.but(model=ModelConfig(context_length=16)))
    with pytest.raises(BadInput, match="it must be encoder"):
        read_hidden(cfg, tokenizer)
