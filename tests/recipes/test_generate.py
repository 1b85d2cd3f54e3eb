"""`linnet generate`: what it prints, what it refuses, and that it says the same for the same seed."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from linnet.artifacts import save_model
from linnet.cli import main
from linnet.core.files import json_text
from linnet.recipes.generate import GenerateConfig, begins_documents, read_prompts, say
from tests.infer.networks import bpe, network


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    tokenizer, folder = bpe(), tmp_path_factory.mktemp("runs") / "tiny"
    save_model(folder, network(vocab_size=tokenizer.vocab_size, context_length=48), tokenizer)
    return folder


def call(capsys, *words: str) -> str:
    assert main(["generate", *words]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_one_text_is_streamed_after_its_prompt(run, capsys):
    out = call(capsys, str(run), "--prompt", "the bird", "--max-tokens", "12", "--seed", "3")
    assert out.startswith("the bird")
    assert len(out) > len("the bird\n")
    [found] = json.loads(call(capsys, str(run), "--prompt", "the bird", "--max-tokens", "12", "--seed", "3", "--json"))
    assert out == f"the bird{found['text']}\n"
    assert len(found["ids"]) == len(found["logprobs"]) == 12
    assert call(capsys, str(run), "--prompt", "the bird", "--max-tokens", "12", "--seed", "4") != out


def test_prompts_from_options_and_a_file_each_several_times(run, capsys, tmp_path):
    (tmp_path / "prompts.txt").write_text("mia\nthe café\n")
    words = [str(run), "--prompt", "bird", "--prompts", str(tmp_path / "prompts.txt"), "--count", "2", "--json"]
    found = json.loads(call(capsys, *words, "--max-tokens", "9"))
    assert [row["prompt"] for row in found] == ["bird", "bird", "mia", "mia", "the café", "the café"]
    assert len({row["text"] for row in found}) == 6
    assert json.loads(call(capsys, *words, "--max-tokens", "9", "--batch-size", "1"))[3]["ids"] == found[3]["ids"]


def test_several_texts_are_told_apart(run, capsys):
    out = call(capsys, str(run), "--count", "3", "--max-tokens", "4")
    assert [line for line in out.splitlines() if line.startswith("--- ")] == ["--- 1", "--- 2", "--- 3"]


def test_logprobs_are_shown_a_line_a_token(run, capsys):
    out = call(capsys, str(run), "--logprobs", "--top-logprobs", "2", "--max-tokens", "5")
    lines = [line for line in out.splitlines() if line.startswith("  ") and "'" in line]
    assert len(lines) == 5
    assert all(float(line.split()[0]) < 0 for line in lines)


def test_beams(run, capsys):
    words = [str(run), "--prompt", "the", "--max-tokens", "6", "--beam", "3", "--count", "2", "--json"]
    found = json.loads(call(capsys, *words))
    assert [row["prompt"] for row in found] == ["the", "the"]
    totals = [sum(row["logprobs"]) / len(row["ids"]) for row in found]
    assert totals[0] >= totals[1]
    greedy = json.loads(call(capsys, str(run), "--prompt", "the", "--max-tokens", "6", "--temperature", "0", "--json"))
    assert totals[0] >= sum(greedy[0]["logprobs"]) / len(greedy[0]["ids"]) - 1e-6


def test_in_turns(run, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("the bird\n\n"))
    out = call(capsys, str(run), "--interactive", "--max-tokens", "5")
    assert len(out.splitlines()) >= 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--prompt", "bird " * 60], "tokens, the model's context 48: shorten it"),
        (["--prompts", "/nowhere/prompts.txt"], "/nowhere/prompts.txt"),
        (["--beam", "2", "--count", "3"], "at most 2 texts"),
        (["--temperature", "-1"], "--temperature"),
        (["--stop", ""], "stop"),
        (["--dtype", "fp8"], "--dtype"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run, capsys, words, said):
    assert main(["generate", str(run), *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert captured.out == ""


def test_no_model_is_one_line(tmp_path, capsys):
    assert main(["generate", str(tmp_path)]) == 2
    assert "no model folder" in capsys.readouterr().err


def test_a_model_of_one_long_text_gets_no_end_token(tmp_path):
    (tmp_path / "result.json").write_text(json_text({"numbers": {"train_documents": 1}}))
    assert not begins_documents(GenerateConfig(run=tmp_path))
    assert begins_documents(GenerateConfig(run=tmp_path, begin="yes"))
    assert read_prompts(GenerateConfig(run=tmp_path), begin=False) == ["\n"]
    (tmp_path / "result.json").write_text(json_text({"numbers": {"train_documents": 9}}))
    assert begins_documents(GenerateConfig(run=tmp_path))
    assert not begins_documents(GenerateConfig(run=tmp_path, begin="no"))


def test_a_terminal_gets_no_control_characters(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    say("a\x1b[31mb\n\tc\x07")
    assert sys.stdout.getvalue() == "a\ufffd[31mb\n\tc\ufffd"


def test_help_needs_no_torch():
    code = "import sys, linnet.recipes.generate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
