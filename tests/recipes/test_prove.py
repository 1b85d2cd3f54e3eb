"""`linnet prove`: the table, proof.json, exit codes, an outside model through a small adapter; pretrain asks first."""

import json
import re
import sys
from pathlib import Path

import pytest

from linnet.artifacts import load_model, save_model
from linnet.cli import main
from linnet.model.decoder import Decoder
from linnet.prove import before_training
from linnet.prove.invariants import QUICK
from linnet.text.tokenizer import Tokenizer
from linnet.train import session
from tests.prove.subjects import decoder
from tests.small_runs import WORDS, command

# The model of someone else: ids [B, T] -> logits [B, T, V], with a loss of its own.
THEIRS = """
import torch
import torch.nn.functional as F
from torch import nn

class Net(nn.Module):
    def __init__(self, vocab_size=50, hidden=16, causal=True):
        super().__init__()
        self.table, self.places = nn.Embedding(vocab_size, hidden), nn.Embedding(64, hidden)
        self.attention = nn.MultiheadAttention(hidden, 2, batch_first=True)
        self.head = nn.Linear(hidden, vocab_size)
        self.causal = causal

    def forward(self, ids):
        x = self.table(ids) + self.places.weight[: ids.shape[1]]
        later = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).triu(1) if self.causal else None
        return self.head(x + self.attention(x, x, x, attn_mask=later, need_weights=False)[0])

def training_loss(net, ids, learned):
    logits, targets = net(ids[:, :-1]), ids[:, 1:].masked_fill(~learned[:, 1:], -100)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
ADAPTER = re.findall(r"```python\n(.*?)```", README.partition("## Prove your own model")[2], re.DOTALL)[0]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("my_model", "my_proof"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "my_model.py").write_text(THEIRS)
    (tmp_path / "my_proof.py").write_text(ADAPTER)
    return tmp_path


def write_run(folder: Path) -> None:
    tokenizer = Tokenizer.train_characters(["abc def."])
    save_model(folder, Decoder(decoder("ours").config.but(vocab_size=tokenizer.vocab_size, num_layers=1)), tokenizer)


def test_a_linnet_folder_gets_a_table_and_a_file(here, capsys):
    write_run(here / "run")
    assert main(["prove", "run", "--device", "cpu", "--quick"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"causality +held +no token moves", out)
    assert "0 broken" in out
    assert "every source token" not in out
    proof = json.loads((here / "run" / "proof.json").read_text())
    assert len(proof["verdicts"]) == len(QUICK)
    assert proof["counts"]["held"] == out.count(" held  ")
    assert {"seed", "device", "code", "versions", "target"} <= proof.keys()
    assert all(verdict["why"] and verdict["evidence"] for verdict in proof["verdicts"])


def test_what_does_not_apply_is_shown_when_asked(here, capsys):
    write_run(here / "run")
    assert main(["prove", "run", "--device", "cpu", "--quick", "--all"]) == 0
    assert "no encoder: there is no source to read" in capsys.readouterr().out


def test_an_outside_model_through_a_small_adapter(here, capsys):
    assert len(ADAPTER.strip().splitlines()) <= 15
    assert main(["prove", "my_proof:subject", "--json", "--out", "deep/mine.json"]) == 0
    proof = json.loads(capsys.readouterr().out)
    assert proof == json.loads((here / "deep" / "mine.json").read_text())
    held = {verdict["invariant"] for verdict in proof["verdicts"] if verdict["status"] == "held"}
    assert {"causality", "every earlier token matters", "loss is next token cross entropy"} <= held


def test_a_broken_one_is_named_with_why_and_exit_code_1(here, capsys):
    (here / "my_model.py").write_text(THEIRS.replace("causal=True", "causal=False"))
    assert main(["prove", "my_proof:subject"]) == 1
    said = capsys.readouterr()
    assert "BROKEN" in said.out
    assert "Why it matters: a model that sees the token it is to predict" in said.out
    line = said.err.strip().splitlines()[-1]
    # What a token does to the last logits alone is causal; all else of this model is as it was.
    assert re.fullmatch(r"linnet: my_proof:subject: \d of \d+ invariants broken: causality.*", line)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_proof(here, capsys):
    write_run(here / "run")
    proofs = []
    for seed in ("3", "3", "4"):
        assert main(["prove", "run", "--device", "cpu", "--quick", "--json", "--seed", seed]) == 0
        proofs.append(json.loads(capsys.readouterr().out))
    assert proofs[0] == proofs[1]
    assert proofs[0]["verdicts"] != proofs[2]["verdicts"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name what is to be proved"),
        (["nowhere"], "nowhere: no such folder"),
        (["my_proof:none"], "has no function none"),
        (["my_proof:subject", "--device", "gpu"], "--device gpu"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(here, capsys, words, said):
    if "--device" in words:
        write_run(here / "run")
        words = ["run", *words[1:]]
    assert main(["prove", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_long_pretraining_asks_first_and_ends_with_the_same_weights(here, monkeypatch, capsys):
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)
    monkeypatch.setattr(before_training, "LONG", 12)
    (here / "corpus.txt").write_text(WORDS * 100)
    weights = []
    for name, more in (("asked", []), ("not", ["--no-prove"])):
        # Dropout: dice that were disturbed would show.
        words = command(here / "corpus.txt", here / name, "--model.dropout", "0.2", *more)
        assert main(words) == 0
        assert ("invariants hold" in capsys.readouterr().err) == (name == "asked")
        weights.append((here / name / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
    assert load_model(here / "asked")[0].config.dropout == 0.2


def test_a_long_pretraining_of_a_broken_network_is_not_begun(here, monkeypatch, capsys):
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)
    monkeypatch.setattr(before_training, "LONG", 12)
    real = Decoder.forward
    monkeypatch.setattr(Decoder, "forward", lambda self, ids, **more: real(self, ids, **more).roll(1, dims=1))
    (here / "corpus.txt").write_text(WORDS * 100)
    assert main(command(here / "corpus.txt", here / "run")) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("linnet: the network is not trained, it is broken: causality")
    assert not (here / "run").exists()
