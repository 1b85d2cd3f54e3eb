"""`linnet verifier`: from a parent's own answers to a judge of them, resumed to the same bits, refused in one line."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from linnet.artifacts import load_model, load_scorer, save_model
from linnet.batches.judged import Judged
from linnet.cli import main
from linnet.core.errors import BadInput
from linnet.core.run import Run
from linnet.evals.verifying import open_verifier
from linnet.infer.judged_answers import read_judged, write_judged
from linnet.model.judging import NO_EVIDENCE, Evidence
from linnet.text.chat import stop_id
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import chain
from tests.judged_answers import judged_answers
from tests.small_runs import after_step, interrupt, refused

SMALL = ["--batch-size", "4", "--eval-every", "4", "--save-every", "2", "--log-every", "1", "--track", "none"]
SMALL += ["--optimizer.kind", "adamw", "--threads", "1", "--device", "cpu", "--dtype", "fp32"]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A parent that says 5 to everything, problems of which half are so, and a file of judged answers."""
    home = tmp_path_factory.mktemp("verifier")
    rows = [
        {"question": f"What is {n}+{5 - n if n % 2 else n}?", "answer": f"#### {5 if n % 2 else 2 * n}"}
        for n in range(40)
    ]
    rows = [row for row in rows if row["question"]]
    text = "".join(f"{row['question']}\n{row['answer']}\nuser\nassistant\n" for row in rows)
    (home / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tokenizer = Tokenizer.train_bpe([text], 300)
    parent = chain(tokenizer, [*tokenizer.encode("\n#### 5"), stop_id(tokenizer)])
    save_model(home / "parent", parent, tokenizer, chat=True)
    judged = [Judged(f"What is {n}?", f"#### {n + wrong}", not wrong) for n in range(30) for wrong in (0, 1)]
    write_judged(home / "judged.jsonl", [*judged, *judged_answers(3)])
    return home


def command(home: Path, out: Path, *more: str) -> list[str]:
    words = ["verifier", str(home / "parent"), "--out", str(out), "--steps", "6", *SMALL]
    if "--candidates" not in more:
        words += ["--source", str(home / "sums.jsonl"), "--answers", "3", "--temperature", "0.4"]
    return [*words, *more]


@pytest.mark.slow
def test_a_parents_own_answers_make_a_judge(home, tmp_path):
    assert main(command(home, tmp_path / "v", "--held-out", "0.4")) == 0
    numbers = Run.result(tmp_path / "v")
    [path] = (tmp_path / "v").glob("candidates-*.jsonl")
    judged = read_judged(path)
    assert {one.answer for one in judged} >= {"#### 5"}
    assert all(one.right == (one.answer == "#### 5" and eval(one.problem[8:-1]) == 5) for one in judged)  # digits and +
    assert numbers["steps"] == 6
    assert 0 < numbers["held_out"]["auroc"] <= 1
    assert set(numbers["baselines"]) == {"answer only", "bag of words", "parent's likelihood"}
    assert numbers["baselines"]["answer only"]["answers"] == numbers["held_out"]["answers"]
    record = json.loads((tmp_path / "v" / "record.json").read_text())
    assert record["data"].keys() == {"candidates", "judged"}
    assert str(home / "parent") in record["parents"]
    assert 0 < open_verifier(tmp_path / "v").score("What is 1+4?", "#### 5") < 1
    assert "AUROC" in (tmp_path / "v" / "index.html").read_text()
    assert "score 0." in (tmp_path / "v" / "samples.md").read_text()
    assert open_verifier(tmp_path / "v").evidence == Evidence(**numbers["evidence"])
    load_scorer(tmp_path / "v")
    with pytest.raises(BadInput, match="a verifier"):
        load_model(tmp_path / "v")


@pytest.mark.slow
def test_resumed_it_ends_with_the_same_bits_and_asks_nobody_again(home, tmp_path, monkeypatch):
    assert main(command(home, tmp_path / "whole")) == 0
    with monkeypatch.context() as patched:
        after_step(3, interrupt, patched)
        assert main(command(home, tmp_path / "cut")) == 130
    [path] = (tmp_path / "cut").glob("candidates-*.jsonl")
    before = path.stat().st_mtime_ns
    assert main(command(home, tmp_path / "cut", "--resume")) == 0
    assert path.stat().st_mtime_ns == before
    whole, cut = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all((whole[name] == cut[name]).all() for name in whole)
    results = [Run.result(tmp_path / name) for name in ("whole", "cut")]
    assert results[0] == results[1]
    assert main(command(home, tmp_path / "cut", "--resume")) == 0  # nothing to do


@pytest.mark.slow
def test_published_candidates_without_the_problem(home, tmp_path):
    words = [
        "--candidates",
        str(home / "judged.jsonl"),
        "--blind",
        "--no-balance",
        "--patience",
        "1",
        "--no-likelihood",
    ]
    assert main(command(home, tmp_path / "v", *words)) == 0
    numbers = Run.result(tmp_path / "v")
    assert open_verifier(tmp_path / "v").evidence == NO_EVIDENCE
    assert load_scorer(tmp_path / "v")[0].config.output_size == 1
    assert numbers["share_right"] == 0.5  # nothing was balanced: the odds are what they are
    assert numbers["train_answers"] + numbers["held_out"]["answers"] == 60  # the long ones do not fit


@pytest.mark.slow
def test_proved(home, tmp_path, capsys):
    assert main(command(home, tmp_path / "v")) == 0
    assert main(["prove", str(tmp_path / "v"), "--json"]) == 0
    proof = json.loads(capsys.readouterr().out.partition("\n{")[2].join(["{", ""]))
    assert proof["counts"]["broken"] == 0
    assert proof["counts"]["held"] >= 25


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--task", "sentiment"], "are chosen, not written"),
        (["--task", "suns"], 'no task "suns"'),
        (["--candidates", "/nowhere.jsonl"], "/nowhere.jsonl"),
        (["--compile"], "leave it out"),
        (["--temperature", "0"], "--temperature"),
        (["--held-out", "1"], "--held-out"),
        (["--problems", "3"], "verifier needs both"),
    ],
)
def test_bad_input_is_one_line(home, tmp_path, capsys, more, said):
    assert said in refused(capsys, command(home, tmp_path / "v", *more), lines=None)


def test_rows_that_are_no_judged_answers(home, tmp_path, capsys):
    for row, said in (
        ({"question": "a", "solution": "b"}, "'is_correct'"),
        ({"question": "a", "solution": "b", "is_correct": 1}, "true or false"),
    ):
        (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
        assert said in refused(
            capsys, command(home, tmp_path / "v", "--candidates", str(tmp_path / "rows.jsonl")), lines=None
        )
    (tmp_path / "rows.jsonl").write_text("\n")
    refused(capsys, command(home, tmp_path / "v", "--candidates", str(tmp_path / "rows.jsonl")), lines=None)
