"""A folder is proved as what it holds; so is a network before its training."""

import pytest
import torch

from linnet.artifacts import save_model
from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig
from linnet.model.network import build
from linnet.prove.ours_networks import folder_subject, network_subject
from linnet.text.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train_characters(["abc"])
SMALL = {"vocab_size": TOKENIZER.vocab_size + 1, "hidden_size": 8, "num_heads": 2, "num_layers": 1}


def saved(folder, **choices):
    save_model(folder, build(ModelConfig(**SMALL, **choices)), TOKENIZER)
    return folder


def test_each_kind_of_folder(tmp_path):
    two = folder_subject(saved(tmp_path / "two", kind="encoder_decoder"), "cpu")
    assert two.source is not None
    encoder = folder_subject(saved(tmp_path / "encoder", kind="encoder"), "cpu")
    assert encoder.both_ways
    assert encoder.masking.share == 0.15
    (tmp_path / "encoder" / "config.json").write_text('{"mask_share": 0.3}')
    assert folder_subject(tmp_path / "encoder", "cpu").masking.share == 0.3
    classes = folder_subject(saved(tmp_path / "classes", output_size=2, pooling="last"), "cpu")
    assert classes.classifying is not None
    assert not classes.both_ways
    assert folder_subject(saved(tmp_path / "decoder"), "cpu").perplexity is not None
    with pytest.raises(BadInput, match="an encoder with 2 scores a token"):
        folder_subject(saved(tmp_path / "scores", kind="encoder", output_size=2), "cpu")


@pytest.mark.parametrize("kind", ["decoder", "encoder", "encoder_decoder"])
def test_a_network_that_is_to_be_trained_is_looked_at_itself(kind):
    model = build(ModelConfig(**SMALL, kind=kind))
    ids = torch.tensor([[1, 2, 3]])
    new, trained = (network_subject(model, "n", trained=trained) for trained in (False, True))
    assert new.fresh()(ids).equal(new.logits(ids))
    assert trained.fresh is not None
    assert new.model is model
