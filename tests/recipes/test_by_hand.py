"""`linnet by-hand`: the tour in words and as JSON, a run folder, no torch on the way, one line for what is wrong."""

import json
import math
import subprocess
import sys

import pytest

from linnet import cli
from linnet.by_hand import gradient_table
from linnet.by_hand.examples import EXAMPLES
from linnet.core.errors import BadInput, Failed
from linnet.core.run import Run, read_metrics
from linnet.recipes.by_hand import ByHandConfig, main

SMALL = {"steps": 4, "batch_size": 2, "context": 8, "num_layers": 1, "hidden_size": 32, "eval_every": 2}


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Give the choices of a run that takes a moment; only a few rows of gradients."""
    monkeypatch.setattr(gradient_table, "EXAMPLES", {name: EXAMPLES[name] for name in ("linear", "softmax")})
    (tmp_path / "text.txt").write_text("the bird sings in the tree and waits for rain. " * 20)
    return ByHandConfig(corpus=str(tmp_path / "text.txt"), out=tmp_path / "run", **SMALL)


@pytest.mark.slow
def test_the_tour_is_shown_and_the_run_folder_is_that_of_any_run(config, capsys):
    assert main(config) == config.out
    shown = capsys.readouterr().out
    for words in ("'bird' is read, 's' is to be guessed", "3. norm: n = x", "linear", "the whole GPT", "GPT by hand"):
        assert words in shown
    numbers = Run.result(config.out)
    losses = numbers["held_out_losses"]
    assert list(losses)[-1] == "GPT by hand"
    assert losses["chance"] > losses["characters by counts"] > losses["bigram by counts"] > losses["5-gram by counts"]
    lines = read_metrics(config.out)
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert [line["step"] for line in lines if "held_out_loss" in line] == [2, 4]
    assert lines[-1]["held_out_loss"] == losses["GPT by hand"] == numbers["held_out_loss"]
    assert lines[0]["loss"] == pytest.approx(losses["chance"], abs=0.1) == pytest.approx(math.log(17), abs=0.1)
    samples = (config.out / "samples.md").read_text()
    assert "## step 2" in samples
    assert "## step 4" in samples


@pytest.mark.slow
def test_json_holds_the_tour_and_the_result_and_nothing_else_is_printed(config, capsys):
    assert main(config.but(json_output=True, word="wren")) is None
    found = json.loads(capsys.readouterr().out)
    assert found["run"] == str(config.out)
    assert found["walk"]["text"] == "wren"
    assert [stop["name"] for stop in found["walk"]["stops"]][:3] == ["ids", "embedding", "norm"]
    assert found["gradient_errors"].keys() == {"linear", "softmax", "bigram table", "the whole GPT"}
    assert found["held_out_losses"]["GPT by hand"] > 0


def test_the_same_seed_gives_the_same_losses_and_fp64_nearly_the_same(config, monkeypatch):
    losses = []
    monkeypatch.setattr(gradient_table, "gradient_table", lambda _: [("linear", 0.0)])  # not what is tested here
    for name, changes in {"a": {}, "b": {}, "c": {"dtype": "fp64"}, "d": {"seed": 1}}.items():
        main(config.but(out=config.out / name, eval_every=100, **changes))
        losses.append([line["loss"] for line in read_metrics(config.out / name)])
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
    assert losses[0] == pytest.approx(losses[2], abs=1e-4)
    assert losses[0] != pytest.approx(losses[3], abs=1e-4)


def test_a_wrong_gradient_ends_the_tour_by_name(config, monkeypatch):
    monkeypatch.setattr(gradient_table, "gradient_check", lambda *_: 1e-5)
    with pytest.raises(Failed, match=r"the gradient of linear is wrong by 1\.0e-05"):
        main(config)
    assert not config.out.exists()


@pytest.mark.parametrize(
    ("text", "choices", "words"),
    [
        ("", {}, "empty, no text"),
        ("short", {}, "too short, 4 characters to train on and 1 held out"),
        ("many words " * 20, {"context": 500}, "a row of --context 500 needs one more"),
        ("".join(map(chr, range(0x4E00, 0x4E00 + 2500))), {}, "2,500 different characters, and by hand at most 2,000"),
    ],
)
def test_a_text_that_cannot_be_learned_is_one_line_and_leaves_nothing(config, text, choices, words):
    (config.out.parent / "text.txt").write_text(text)
    with pytest.raises(BadInput, match=words):
        main(config.but(**choices))
    assert not config.out.exists()


@pytest.mark.slow
def test_no_torch_is_imported_on_the_way(config):
    program = "import sys; from linnet.cli import main; print(main(sys.argv[1:]), 'torch' in sys.modules)"
    options = [word for name, value in SMALL.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command = ["by-hand", "--corpus", config.corpus, "--out", str(config.out), *options]
    done = subprocess.run([sys.executable, "-c", program, *command], capture_output=True, text=True)
    assert done.stdout.endswith(f"{config.out}\n0 False\n"), done.stderr
    assert "by-hand 100% 4/4  loss" in done.stderr
    assert "tok/s" in done.stderr


def test_a_bad_choice_is_one_line(capsys, tmp_path):
    assert cli.main(["by-hand", "--hidden-size", "100", "--out", str(tmp_path / "run")]) == 2
    assert "multiple of 32" in capsys.readouterr().err
    assert cli.main(["by-hand", "--corpus", "nowhere.txt", "--out", str(tmp_path / "run")]) == 2
    assert "nowhere.txt: no such file" in capsys.readouterr().err
