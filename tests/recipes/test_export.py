"""`linnet export hf`: every family there and back to the bit, all or nothing, and what is refused."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from linnet import cli
from linnet.core.errors import Failed
from linnet.core.files import file_hash
from linnet.recipes import export
from tests.export.networks import NETWORKS, build, random_network, run_of, tokenizer

transformers = pytest.importorskip("transformers")
from linnet.artifacts import load_model  # noqa: E402

QUICK = ("llama gqa, tied",)
EVERY = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS]


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_there_and_back_is_the_same_to_the_bit(name, tmp_path, capsys):
    """Ours -> transformers -> ours; the certificates compare logits to 1e-5 and 64 greedy tokens on both ways."""
    family, model = NETWORKS[name][0], build(name)
    run, out, back = (tmp_path / part for part in ("run", "hf", "back"))
    run_of(run, model, family=family)
    assert cli.main(["export", "hf", str(run), "--out", str(out)]) == 0
    assert cli.main(["import", str(out), "--out", str(back)]) == 0
    assert capsys.readouterr().out.split() == [str(out), str(back)]
    own, found = model.state_dict(), load_model(back)[0].state_dict()
    assert own.keys() == found.keys()
    assert all(torch.equal(own[key], found[key]) for key in own)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
    assert theirs.config.model_type == family
    with torch.no_grad():
        ids = torch.arange(40)[None] * 7 % tokenizer().vocab_size
        torch.testing.assert_close(theirs(ids).logits, model(ids), rtol=1e-5, atol=1e-5)
    for folder, direction in ((out, "export"), (back, "import")):
        proof = json.loads((folder / "certificate.json").read_text())
        assert proof["direction"] == direction
        assert proof["network"]["greedy_equal"] + 64 * proof["network"]["greedy_ties"] >= 3 * 64


@pytest.fixture(scope="module")
def talking(tmp_path_factory):
    """Return the run of a network that chats."""
    return run_of(tmp_path_factory.mktemp("talking") / "run", build("llama gqa, tied"), chat=True)


def test_the_folder_has_all_that_others_need_and_nothing_else(talking, tmp_path):
    out = tmp_path / "hf"
    assert cli.main(["export", "hf", str(talking), "--out", str(out), "--license", "mit"]) == 0
    assert {path.name for path in out.iterdir()} == {
        *("config.json", "generation_config.json", "model.safetensors", "README.md", "certificate.json"),
        *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"),
    }
    assert (out / "README.md").read_text().startswith("---\nlicense: mit\n")
    proof = json.loads((out / "certificate.json").read_text())
    assert all(file_hash(out / name) == digest for name, digest in proof["files"].items())
    assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"} <= proof["files"].keys()
    ends = json.loads((out / "generation_config.json").read_text())["eos_token_id"]
    assert ends == [tokenizer().special("<|im_end|>"), tokenizer().special("<|end|>")]
    theirs = transformers.AutoTokenizer.from_pretrained(out)
    asked = theirs.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True)
    assert asked == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert (theirs.eos_token, theirs.model_max_length) == ("<|im_end|>", 96)


@pytest.mark.slow
def test_types_and_shards(talking, tmp_path):
    narrow, again = tmp_path / "narrow", tmp_path / "again"
    assert cli.main(["export", "hf", str(talking), "--dtype", "bf16", "--shard-mb", "1", "--out", str(narrow)]) == 0
    assert cli.main(["import", str(narrow), "--out", str(tmp_path / "back")]) == 0
    assert cli.main(["export", "hf", str(tmp_path / "back"), "--out", str(again)]) == 0  # keeps the run's type
    for folder in (narrow, again):
        assert json.loads((folder / "config.json").read_text())["dtype"] == "bfloat16"
    assert file_hash(narrow / "model.safetensors") == file_hash(again / "model.safetensors")


def refused(capsys, *words, code=2):
    assert cli.main(list(words)) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


def test_what_no_family_expresses_is_refused_and_leaves_nothing(tmp_path, capsys):
    run = run_of(tmp_path / "run", random_network({"num_layers": 2, "hidden_size": 16, "context_length": 32}))
    line = refused(capsys, "export", "hf", str(run), "--out", str(tmp_path / "hf"))
    assert "residual_mix = true" in line
    assert "pretrain with --model.activation swiglu" in line
    verifier = random_network({"num_layers": 1, "hidden_size": 16, "output_size": 1})
    line = refused(capsys, "export", "hf", str(run_of(tmp_path / "judge", verifier)), "--out", str(tmp_path / "hf"))
    assert "a verifier" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["judge", "run"]


def test_other_peoples_folders_are_not_overwritten(talking, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "novel.txt").write_text("Once")
    for out in (tmp_path / "mine", tmp_path / "mine" / "novel.txt"):
        assert "choose another --out" in refused(capsys, "export", "hf", str(talking), "--out", str(out))
    assert (tmp_path / "mine" / "novel.txt").read_text() == "Once"
    assert "gguf" in refused(capsys, "export", "gguf", str(talking), "--out", str(tmp_path / "x"))
    assert "license" in refused(capsys, "export", "hf", str(talking), "--license", "a b", "--out", str(tmp_path / "x"))


def test_without_a_certificate_nothing_is_left_and_the_old_export_stays(talking, tmp_path, capsys, monkeypatch):
    from linnet.export import certificate

    def unequal(*_):
        raise Failed("logits differ")

    out = tmp_path / "hf"
    monkeypatch.setattr(certificate, "compare", unequal)
    assert "logits differ" in refused(capsys, "export", "hf", str(talking), "--out", str(out), code=1)
    assert list(tmp_path.iterdir()) == []
    out.mkdir()
    (out / "certificate.json").write_text("{}")
    refused(capsys, "export", "hf", str(talking), "--out", str(out), code=1)
    assert [path.name for path in out.iterdir()] == ["certificate.json"]
    assert list(tmp_path.iterdir()) == [out]


def test_weights_that_are_not_what_they_should_be_are_no_export(talking, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(export, "STORED", {"float32": "F16"})
    line = refused(capsys, "export", "hf", str(talking), "--out", str(tmp_path / "hf"), code=1)
    assert "is stored as F32, not F16" in line
    assert f"{tmp_path / 'hf'}: " in line  # by the name that was asked for
    assert list(tmp_path.iterdir()) == []


DRIVER = """
import sys
from linnet import cli
import linnet.artifacts, linnet.export.certificate, linnet.recipes.export, transformers
from transformers import AutoModelForCausalLM
print("ready", flush=True)
for number in range(1000):
    for words in (["export", "hf", sys.argv[1], "--out", f"{sys.argv[2]}/hf"],
                  ["import", f"{sys.argv[2]}/hf", "--out", f"{sys.argv[2]}/back{number}"]):
        assert cli.main(words) == 0
"""


@pytest.mark.slow
def test_killed_at_any_moment_no_half_of_a_folder_loads(talking, tmp_path):
    dice, whole = random.Random(3), 0
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(talking), str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout.readline() == b"ready\n"
            time.sleep(dice.uniform(0, 4))
            os.kill(process.pid, signal.SIGKILL)
        for folder in tmp_path.iterdir():
            if folder.name.startswith("."):  # of the killed process; the next one removes it
                continue
            assert json.loads((folder / "certificate.json").read_text())["network"]["greedy_equal"] == 192
            if folder.name == "hf":
                transformers.AutoModelForCausalLM.from_pretrained(folder)
            else:
                load_model(folder)
            whole += 1
    assert whole
    assert len([path for path in tmp_path.iterdir() if path.name.startswith(".")]) <= 8
