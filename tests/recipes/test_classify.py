"""`linnet classify` end to end: from nothing, from a decoder and an encoder; probes, resume, one-line refusals."""

import json

import pytest
import torch

from linnet.artifacts import load_network, save_model
from linnet.cli import main as linnet
from linnet.core.run import Run
from linnet.model.config import ModelConfig
from linnet.model.network import build
from tests.recipes.row_runs import command, resumes_to_the_bit, write_rows
from tests.recipes.tuned_runs import TOKENIZER, save_base
from tests.small_runs import refused


@pytest.fixture
def data(tmp_path):
    return "--data", write_rows(tmp_path / "rows.jsonl"), "--held-out", "0.3"


@pytest.mark.slow
def test_from_nothing_it_learns_what_one_word_tells(data, tmp_path):
    words = command("classify", tmp_path / "run", *data, "--tokenizer", "characters", "--steps", "60",
                    "--model.dropout", "0")  # fmt: skip
    assert linnet(words) == 0
    result = Run.result(tmp_path / "run")
    assert result["held_out"]["accuracy"] > 0.9
    assert result["classes"] == ["0", "1"]
    assert {"blind", "bag of words", "source only", "target only"} <= result["baselines"].keys()
    assert any("target only" in one for one in result["leaks"])  # the text backwards gives the label away
    model, _ = load_network(tmp_path / "run")
    assert (model.config.kind, model.config.pooling, model.config.outputs) == ("encoder", "mean", 2)
    assert "held-out texts called wrongly" in (tmp_path / "run" / "samples.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_from_a_trained_trunk(kind, data, tmp_path):
    parent = save_base(tmp_path / "base")
    if kind == "encoder":
        small = {"hidden_size": 16, "num_heads": 2, "num_layers": 1, "context_length": 32}
        parent = tmp_path / "encoder"
        save_model(parent, build(ModelConfig(kind="encoder", vocab_size=TOKENIZER.vocab_size, **small)), TOKENIZER)
    assert linnet(command("classify", tmp_path / "run", *data, parent=parent)) == 0
    model, _ = load_network(tmp_path / "run")
    assert (model.config.kind, model.config.pooling) == (kind, {"decoder": "last", "encoder": "mean"}[kind])
    assert not torch.equal(model.head.weight, torch.zeros_like(model.head.weight))
    assert linnet(command("classify", tmp_path / "lora", *data, "--adapt.method", "lora", parent=parent)) == 0
    assert load_network(tmp_path / "lora")[0].config.outputs == 2


@pytest.mark.slow
def test_a_run_that_was_cut_short_goes_on_to_the_same_bits(data, tmp_path, monkeypatch):
    resumes_to_the_bit("classify", tmp_path, monkeypatch, *data, "--tokenizer", "characters")


def test_a_column_that_gives_the_label_away_is_told(tmp_path, capsys):
    rows = [
        {
            "title": f"T{n}",
            "text": f"Some words {n * 7 % 10}.",
            "subject": ("a", "b")[n % 2],
            "date": "",
            "label": n % 2,
        }
        for n in range(80)
    ]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = ("--data", f"fake_news={tmp_path / 'train.jsonl'}", "--held-out", "0.4", "--tokenizer", "characters")
    assert linnet(command("classify", tmp_path / "run", *data)) == 0
    result = Run.result(tmp_path / "run")
    assert result["baselines"]["subject only"]["accuracy"] == 1
    assert result["leaks"][0].startswith("the label leaks: subject only gets 100.0%")
    assert "the label leaks" in capsys.readouterr().err


def test_what_cannot_be_is_one_line(data, tmp_path, capsys):
    words = command("classify", tmp_path / "no", *data, "--label-column", "kind")
    assert 'no column "kind"' in refused(capsys, words)
    parent = tmp_path / "two"
    small = {"hidden_size": 16, "num_heads": 2, "num_layers": 1}
    save_model(parent, build(ModelConfig(kind="encoder_decoder", vocab_size=TOKENIZER.vocab_size, **small)), TOKENIZER)
    assert "goes on from a decoder or an encoder" in refused(
        capsys, command("classify", tmp_path / "no", *data, parent=parent)
    )
