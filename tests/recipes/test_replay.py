"""`linnet replay`: the loss of any step is the logged one to the bit, also after a resume; nothing is written there."""

import json
import random

import pytest

from linnet.cli import main as linnet
from linnet.core.files import file_hash
from linnet.core.run import Run, read_metrics
from linnet.train import session
from tests.small_runs import WORDS, after_step, command, interrupt, refused

MORE = ("--model.dropout", "0.1", "--accumulate", "2", "--keep-every", "5", "--sample-every", "3", "--steps", "11")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "replay-cache"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a corpus, a finished run and one that was interrupted after step 7."""
    folder, patch = tmp_path_factory.mktemp("replay"), pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "replay-cache"))
    patch.setattr(session, "matmul_limit", lambda *_: 1e11)
    (folder / "corpus.txt").write_text(WORDS * 100)
    assert linnet(command(folder / "corpus.txt", folder / "whole", *MORE)) == 0
    after_step(7, interrupt, patch)
    assert linnet(command(folder / "corpus.txt", folder / "stopped", *MORE)) == 130
    patch.undo()
    return folder


def replayed(run, step, capsys, *more):
    """Replay a step and return what is said as JSON."""
    capsys.readouterr()
    code = linnet(["replay", str(run), "--step", str(step), "--page", str(run.parent / "page"), "--json", *more])
    done = capsys.readouterr()
    assert code == 0, done.err
    return json.loads(done.out)


def logged(run):
    return {line["step"]: line["loss"] for line in read_metrics(run)}


def everything(run):
    return {path: (file_hash(path), path.stat().st_mtime_ns) for path in run.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize(("step", "again"), [(9, 4), (1, 1), (5, 5)])
def test_a_step_of_a_finished_run_has_its_logged_loss(folder, capsys, step, again):
    run = folder / "whole"
    before = everything(run)
    found = replayed(run, step, capsys)
    assert found["loss"] == found["logged_loss"] == logged(run)[step]
    assert found["equal"] is True
    assert found["logged_losses_equal"] == found["logged_losses_compared"] == found["steps_done_again"] == again
    assert found["targets"] == 2 * 4 * 32
    assert everything(run) == before
    assert {path.name for path in (run / "kept").iterdir()} == {"step-00000005", "step-00000010"}
    page = (folder / "page" / "index.html").read_text()
    assert f"logged: {found['loss']!r}" in page
    assert "8 rows of 32 places in 2 batches" in page
    assert page.count("<article>") == 8


@pytest.mark.slow
def test_an_interrupted_run_and_what_became_of_it_have_their_logged_losses(folder, capsys, monkeypatch):
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)
    run = folder / "stopped"
    before = everything(run)
    # Its last state is that after step 5, kept for replay; step 7 was done but not logged.
    assert (replayed(run, 6, capsys)["steps_done_again"], Run.finished(run)) == (1, False)
    assert everything(run) == before
    assert linnet(command(folder / "corpus.txt", run, *MORE, "--resume")) == 0
    found = replayed(run, 8, capsys)
    assert found["loss"] == logged(run)[8] == logged(folder / "whole")[8]
    assert found["equal"] is True


@pytest.mark.slow
@pytest.mark.parametrize(("how", "more"), [("whole", ()), ("resumed", ("--packing",))])
def test_twenty_random_steps_have_their_logged_losses(tmp_path, capsys, monkeypatch, how, more):
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)
    rows = "".join(json.dumps({"text": f"{number} {WORDS * (number % 4 + 1)}"}) + "\n" for number in range(80))
    (tmp_path / "rows.jsonl").write_text(rows)
    words = command(tmp_path / "rows.jsonl", tmp_path / "run", *MORE[:-1], "60", "--save-every", "9", *more)
    if how == "resumed":
        with monkeypatch.context() as patch:
            after_step(31, interrupt, patch)
            assert linnet(words) == 130
    assert linnet([*words, "--resume"]) == 0
    losses = logged(tmp_path / "run")
    assert len(losses) == 60
    for step in random.Random(3).sample(range(1, 61), 20):
        found = replayed(tmp_path / "run", step, capsys)
        assert (found["equal"], found["loss"]) == (True, losses[step])
        assert found["logged_losses_equal"] == found["steps_done_again"] == (step - 1) % 5 + 1


@pytest.mark.slow
def test_a_network_that_was_proved_before_its_training_is_replayed_without(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)
    (tmp_path / "corpus.txt").write_text(WORDS * 100)
    capsys.readouterr()
    assert linnet(command(tmp_path / "corpus.txt", tmp_path / "run", *MORE[:-1], "200")) == 0
    assert "proved before training" in capsys.readouterr().err
    assert replayed(tmp_path / "run", 3, capsys)["equal"] is True


def copy(folder, tmp_path, **changes):
    """Return a copy of the finished run in which files are changed: name -> function of the text."""
    run = tmp_path / "copy"
    for path in (folder / "whole").rglob("*"):
        if path.is_file():
            (run / path.relative_to(folder / "whole")).parent.mkdir(parents=True, exist_ok=True)
            (run / path.relative_to(folder / "whole")).write_bytes(path.read_bytes())
    for name, change in changes.items():
        path = run / {"log": "metrics.jsonl", "record": "record.json", "config": "config.json"}[name]
        path.write_text(change(path.read_text()))
    return run


def off(text):
    """Return a log in which the loss of step 2 is a little larger."""
    lines = [json.loads(line) for line in text.splitlines()]
    lines[1]["loss"] += 1e-12
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_a_loss_that_is_not_the_logged_one_fails_unless_the_machine_is_another(folder, tmp_path, capsys):
    run = copy(folder, tmp_path, log=off)
    assert linnet(["replay", str(run), "--step", "2", "--page", str(tmp_path / "page")]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "1 of 2 losses are not the logged ones, first that of step 2" in said
    assert "not equal" in (tmp_path / "page" / "index.html").read_text()
    run = copy(folder, tmp_path, log=off, record=lambda text: text.replace('"torch": "', '"torch": "0.'))
    capsys.readouterr()
    assert linnet(["replay", str(run), "--step", "2", "--page", str(tmp_path / "page"), "--json"]) == 0
    done = capsys.readouterr()
    assert json.loads(done.out)["equal"] is False
    assert "torch was 0." in done.err


def test_a_changed_corpus_is_refused_and_one_that_moved_is_found(folder, tmp_path, capsys):
    other, moved = tmp_path / "other.txt", tmp_path / "moved.txt"
    other.write_text(WORDS * 99 + WORDS.replace("bird", "tree"))
    moved.write_text((folder / "corpus.txt").read_text())
    words = ["replay", str(folder / "whole"), "--step", "2", "--page", str(tmp_path / "page")]
    assert "text has changed since the run (hash " in refused(capsys, [*words, "--corpus", str(other)])
    assert not (tmp_path / "page").exists()
    assert replayed(folder / "whole", 2, capsys, "--corpus", str(moved))["equal"] is True


def test_what_cannot_be_replayed_is_one_line(folder, tmp_path, capsys):
    page = ["--page", str(tmp_path / "page")]

    def said(run, step="2"):
        return refused(capsys, ["replay", str(run), "--step", step, *page])

    assert "was trained for 11 steps; choose from 1 to 11" in said(folder / "whole", "12")
    assert "--step" in said(folder / "whole", "0")
    assert "config.json is missing" in said(tmp_path)
    assert "a run of tokenizer" in said(
        copy(folder, tmp_path, record=lambda text: text.replace("pretrain", "tokenizer"))
    )
    assert "damaged" in said(copy(folder, tmp_path, record=lambda _: "[]"))
    assert "unknown field" in said(copy(folder, tmp_path, config=lambda text: text.replace("batch_size", "rows")))
    nothing = copy(folder, tmp_path, record=lambda text: json.dumps({**json.loads(text), "data": {}}))
    assert "text has changed" in said(nothing)
    assert "--step is missing" in refused(capsys, ["replay", str(folder / "whole"), *page])


def test_a_step_between_logged_ones_is_told_to_be_so(folder, tmp_path, capsys):
    every_third = lambda text: "".join(text.splitlines(keepends=True)[2::3])  # noqa: E731
    found = replayed(copy(folder, tmp_path, log=every_third), 5, capsys)
    assert (found["logged_loss"], found["equal"]) == (None, None)
    assert (found["logged_losses_compared"], found["logged_losses_equal"]) == (1, 1)
    assert "this step was not logged" in (tmp_path / "page" / "index.html").read_text()
