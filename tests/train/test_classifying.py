"""What learning to classify begins with: heads on given and new trunks, whose numbers are the row's, probabilities."""

import json

import pytest
import torch

from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig
from linnet.model.network import build
from linnet.train.classifying import network, pooling_of, probabilities, read_classes
from linnet.train.precision import Precision
from linnet.train.row_config import BOTH_WAYS, ClassifyConfig

PRECISION = Precision(torch.float32, torch.device("cpu"))
SMALL = BOTH_WAYS.but(num_layers=1, hidden_size=16, num_heads=2, context_length=12)


@pytest.fixture
def cfg(tmp_path):
    rows = [{"text": "even" if n % 2 == 0 else "odd one", "label": n % 2, "n": n} for n in range(60)]
    for row in rows:
        row["text"] += f" {row['n']}"
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ClassifyConfig(data=str(path), tokenizer="characters", model=SMALL, batch_size=8)


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_a_head_on_a_new_or_a_given_trunk(cfg, kind):
    cfg = cfg.but(model=SMALL.but(kind=kind))
    classes = read_classes(cfg, None)
    model = network(cfg, classes, None)
    assert model.config.outputs == 2
    assert model.config.pooling == {"encoder": "mean", "decoder": "last"}[kind]
    trunk = build(SMALL.but(kind=kind, vocab_size=classes.tokenizer.vocab_size), torch.Generator().manual_seed(5))
    given = trunk, classes.tokenizer
    tuned = network(cfg, read_classes(cfg, given), given)
    assert torch.equal(tuned.embedding.weight, trunk.embedding.weight)
    assert tuned.embedding.weight is not trunk.embedding.weight
    assert tuned.head.weight.shape == (2, 16)
    assert network(cfg, classes, (tuned, classes.tokenizer)) is tuned


def test_texts_beyond_the_context_are_counted(cfg):
    texts = read_classes(cfg, None).texts
    lengths = [len(one.text) for one in (*texts.train, *texts.held_out)]  # a character is a token here
    longest = max(lengths)
    for room, cut in ((longest + 2, 0), (longest + 1, lengths.count(longest))):
        classes = read_classes(cfg.but(model=SMALL.but(context_length=room)), None)
        assert classes.cut == cut
        assert (f"; {cut} longer than the context" in classes.line()) == bool(cut)


def test_probabilities_are_those_of_each_text_alone(cfg):
    classes = read_classes(cfg, None)
    model = network(cfg, classes, None)
    with torch.no_grad():
        for part in model.parameters():
            part.add_(0.3 * torch.randn(part.shape, generator=torch.Generator().manual_seed(1)))
    found = probabilities(model, classes.held_out, PRECISION)
    assert found.shape == (len(classes.texts.held_out), 2)
    assert torch.allclose(found.sum(1), torch.ones(len(found), dtype=torch.float64))
    single = model.eval()(torch.tensor([classes.held_out.items[0].ids])).mean(1).double().softmax(-1)
    torch.testing.assert_close(found[:1], single.detach(), rtol=1e-4, atol=1e-6)
    labels = torch.tensor([one.label for one in classes.texts.held_out])
    accuracy = float((found.argmax(1) == labels).double().mean())
    assert classes.measure(model, PRECISION)["accuracy"] == pytest.approx(accuracy)


def test_whose_numbers_are_the_rows(cfg):
    assert pooling_of(cfg, ModelConfig()) == "last"
    assert pooling_of(cfg, SMALL) == "mean"
    assert pooling_of(cfg, SMALL.but(head_layer="gelu")) == "first"
    assert pooling_of(cfg.but(pooling="first"), ModelConfig()) == "first"


def test_another_kind_is_refused(cfg):
    two_sides = cfg.but(model=ModelConfig(kind="encoder_decoder"))
    with pytest.raises(BadInput, match="a decoder or an encoder"):
        network(two_sides, read_classes(two_sides, None), None)
    with pytest.raises(BadInput, match="no room for a text"):
        read_classes(cfg.but(model=SMALL.but(context_length=2)), None)
