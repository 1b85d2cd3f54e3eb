"""`linnet search`: curves and a page from tries, a gate that really saves them, and what it refuses."""

import json
from pathlib import Path

import pytest

from linnet.adapt.heads import with_head
from linnet.artifacts import save_model
from linnet.cli import main
from linnet.core.run import Run
from linnet.infer.judged_answers import read_judged
from linnet.text.chat import stop_id
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import chain, network
from tests.small_runs import refused


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("search")
    rows = [{"question": f"What is {n}?", "answer": f"#### {5 if n % 3 else 6}"} for n in range(12)]
    (home / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tokenizer = Tokenizer.train_bpe(["#### 5\nWhat is it? 0123456789 user\nassistant\n" * 9], 300)
    save_model(
        home / "model", chain(tokenizer, [*tokenizer.encode("\n#### 5"), stop_id(tokenizer)]), tokenizer, chat=True
    )
    judge = with_head(network(vocab_size=tokenizer.vocab_size, context_length=64), 1).eval()
    save_model(home / "judge", judge, tokenizer, chat=True)
    return home


def command(home: Path, out: Path, *more: str) -> list[str]:
    words = ["search", str(home / "model"), "--source", str(home / "sums.jsonl"), "--out", str(out), "--device", "cpu"]
    heat = [] if "--temperature" in more else ["--temperature", "0.5"]
    return [*words, "--tries", "1,4", *heat, "--threads", "1", *more]


@pytest.mark.slow
def test_curves_gains_rows_and_a_page(home, tmp_path):
    assert main(command(home, tmp_path / "s", "--verifier", str(home / "judge"))) == 0
    numbers = Run.result(tmp_path / "s")
    assert numbers["problems"] == 12
    expected = {"majority", "best of n", "weighted vote", "pass@n", "weighted vote where unsure"}
    assert numbers["curves"].keys() == expected
    assert [each["tries"] for each in numbers["curves"]["majority"]] == [1, 4]
    assert numbers["gains"].keys() == expected - {"pass@n"}
    assert numbers["one_try"]["right"] == numbers["curves"]["majority"][0]["right"]
    assert numbers["gains_over_greedy"].keys() == numbers["gains"].keys()
    assert numbers["greedy"]["right"] == 8 / 12  # it says 5, and two of three answers are 5
    assert numbers["mistakes"]["replies"] == 48
    judged = read_judged(tmp_path / "s" / "tries.jsonl")
    assert {one.problem for one in judged} == {f"What is {n}?" for n in range(12)}
    html = (tmp_path / "s" / "index.html").read_text()
    assert "Accuracy against compute" in html
    assert "weighted vote where unsure" in html
    record = json.loads((tmp_path / "s" / "record.json").read_text())
    assert record["parents"].keys() == {str(home / "model"), str(home / "judge")}


@pytest.mark.slow
def test_without_a_verifier_the_majority_alone(home, tmp_path):
    assert main(command(home, tmp_path / "s", "--problems", "3")) == 0
    assert Run.result(tmp_path / "s")["curves"].keys() == {"majority", "pass@n"}
    assert Run.result(tmp_path / "s")["problems"] == 3


def test_a_gate_saves_tries(home, tmp_path):
    spent = {}
    for gate in ("0.001", "0.999"):
        words = ["--verifier", str(home / "judge"), "--gate", gate]
        assert main(command(home, tmp_path / gate, *words)) == 0
        numbers = Run.result(tmp_path / gate)
        spent[gate] = numbers["gated"]["tries"]
        assert len((tmp_path / gate / "tries.jsonl").read_text().splitlines()) == round(12 * spent[gate])
    assert spent["0.001"] < 2
    assert spent["0.999"] == 4


@pytest.mark.slow
def test_a_calculator_and_a_seed(home, tmp_path):
    texts = []
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(command(home, tmp_path / out, "--calculator", "--seed", seed, "--temperature", "2")) == 0
        texts.append((tmp_path / out / "tries.jsonl").read_text())
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--gate", "0.5"], "name one with --verifier"),
        (["--task", "sentiment"], "nothing to try again"),
        (["--problems", "1"], "--problems"),
        (["--tries", "0"], "from 1 to 1024"),
        (["--verifier", "/nowhere"], "/nowhere"),
    ],
)
def test_bad_input_is_one_line(home, tmp_path, capsys, more, said):
    assert said in refused(capsys, command(home, tmp_path / "s", *more), lines=None)


def test_a_language_model_is_no_verifier_and_a_verifier_cannot_try(home, tmp_path, capsys):
    line = refused(capsys, command(home, tmp_path / "s", "--verifier", str(home / "model")), lines=None)
    assert "a language model, not a verifier" in line
    words = ["search", str(home / "judge"), "--source", str(home / "sums.jsonl"), "--out", str(tmp_path / "t")]
    assert "a verifier (a score a token), not a language model" in refused(capsys, words, lines=None)
