"""`linnet summarize`: an encoder-decoder or a decoder that chats, with ROUGE beside the lead's."""

import pytest

from linnet.artifacts import save_model
from linnet.cli import main as linnet
from linnet.core.files import read_json
from linnet.core.run import Run
from linnet.model.config import ModelConfig
from linnet.model.network import build
from linnet.text.tokenizer import Tokenizer
from linnet.train import session
from tests.recipes.row_runs import command, resumes_to_the_bit
from tests.small_runs import refused

DATA = ("--data", "world/dialogues:24", "--held-out", "0.2", "--written", "3", "--steps", "4", "--save-every", "2")
NEW = (*DATA, "--tokenizer", "characters", "--model.context-length", "700")
LETTERS = "".join(map(chr, range(32, 127))) + "\n"


@pytest.mark.slow
def test_a_new_encoder_decoder_has_rouge_beside_the_lead(tmp_path):
    assert linnet(command("summarize", tmp_path / "run", *NEW)) == 0
    found = read_json(tmp_path / "run" / "summaries.json")
    assert found["written"]["metric"] == "ROUGE-L"
    assert found["written"]["rows"] == 3
    assert found["baselines"]["lead"]["rouge1"] > found["written"]["rouge1"]
    assert Run.result(tmp_path / "run")["written"] == found["written"]
    assert read_json(tmp_path / "run" / "record.json")["recipe"] == "summarize"


@pytest.mark.slow
def test_a_decoder_learns_it_as_a_reply(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)
    tokenizer = Tokenizer.train_characters([LETTERS])
    small = {"hidden_size": 16, "num_heads": 2, "num_layers": 1, "context_length": 700}
    for kind in ("decoder", "encoder"):
        model = build(ModelConfig(kind=kind, vocab_size=tokenizer.vocab_size, **small))
        save_model(tmp_path / kind, model, tokenizer)
    assert linnet(command("summarize", tmp_path / "run", *DATA, parent=tmp_path / "decoder")) == 0
    found = read_json(tmp_path / "run" / "summaries.json")
    assert found["written"]["rows"] == 3
    assert "rouge2" in found["baselines"]["lead"]
    assert (tmp_path / "run" / "chat_template.jinja").is_file()
    line = refused(capsys, command("summarize", tmp_path / "no", *DATA, parent=tmp_path / "encoder"))
    assert "an encoder writes nothing" in line
    words = command("summarize", tmp_path / "no", *DATA, "--label-smoothing", "0.1", parent=tmp_path / "decoder")
    assert "--label-smoothing is for an encoder-decoder" in refused(capsys, words)
    assert "no model folder" in refused(capsys, command("summarize", tmp_path / "no", *DATA, parent=tmp_path))


@pytest.mark.slow
def test_a_run_that_was_cut_short_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    longer = {"--steps": "12", "--save-every": "4"}
    words = [longer.get(before, word) for before, word in zip(("", *NEW), NEW, strict=False)]
    resumes_to_the_bit("summarize", tmp_path, monkeypatch, *words)
