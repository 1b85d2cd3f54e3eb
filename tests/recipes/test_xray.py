"""`linnet xray`: it looks into the very rows of the recipe, says what is wrong, and refuses what teaches nothing."""

import json
import random

import pytest
import torch

from linnet.batches.batch import IGNORE, Batch
from linnet.cli import main as linnet
from linnet.core.errors import BadInput
from linnet.explain.xray import examine
from linnet.recipes.xray import XrayConfig, refuse_if_nothing_is_learned
from linnet.text.tokenizer import Tokenizer
from linnet.train import loop, session
from linnet.train.config import PretrainConfig
from tests.recipes import tuned_runs
from tests.report.test_page import Reader
from tests.small_runs import command, refused

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def rows(tmp_path):
    """Return a corpus of 40 documents, some longer than a row, one of them hostile."""
    draw = random.Random(4)
    texts = [HOSTILE] + ["".join(draw.choices("birds in a tree", k=draw.randrange(8, 60))) for _ in range(39)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def xray(corpus, tmp_path, capsys, *more):
    """Look into a corpus with the words of a small training; return what is said as JSON, and the log."""
    capsys.readouterr()
    code = linnet(["xray", *command(corpus, tmp_path / "run", *more), "--page", str(tmp_path / "x"), "--json"])
    done = capsys.readouterr()
    assert code == 0, done.err
    return json.loads(done.out), done.err


def test_it_takes_every_option_of_the_recipe_with_the_same_default():
    assert PretrainConfig.model_fields.keys() < XrayConfig.model_fields.keys()
    plain, looked = PretrainConfig().model_dump(), XrayConfig().model_dump()
    assert {name: looked[name] for name in plain} == plain


@pytest.mark.slow
@pytest.mark.parametrize("packing", [False, True])
def test_the_rows_of_the_page_are_those_of_the_training(rows, tmp_path, capsys, monkeypatch, packing):
    more = ["--packing"] if packing else []
    found, _ = xray(rows, tmp_path, capsys, *more)
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)
    trained, real = [], loop.steps

    def watched(state, *rest):
        after = state.batches.state()
        for step in real(state, *rest):
            after, before = state.batches.state(), after
            trained.append(state.batches.batch(before["drawn"]))
            yield step

    monkeypatch.setattr(loop, "steps", watched)
    assert linnet(command(rows, tmp_path / "run", *more)) == 0
    tokenizer = Tokenizer.load(tmp_path / "run")
    html = (tmp_path / "x" / "index.html").read_text()
    first = Reader("<p" + html.partition("<h3>Row 0</h3>")[2].partition("<p")[2].partition("</p>")[0] + "</p>")
    ids = trained[0].ids[0].tolist()
    said = "".join(first.text.split()).partition("padding×")[0]
    assert said.startswith(tokenizer.decode(ids[:6], specials=True).replace(" ", ""))
    seen = examine(trained, tokenizer, found["rows"]).numbers()
    names = ("rows", "tokens", "learned", "padding", "stops_learned", "cut_short", "duplicate_rows")
    assert {name: found[name] for name in names} == {name: seen[name] for name in names}


def test_packed_documents_that_do_not_fit_are_told(rows, tmp_path, capsys):
    found, log = xray(rows, tmp_path, capsys, "--packing", "--steps", "500")
    assert found["rows"] == found["rows_in_set"] > 20
    assert found["documents_cut"] == found["cut_short"] > 3
    sentence = f"{found['cut_short']} learned stretches end without a stop token"
    assert found["warnings"][0].startswith(sentence)
    assert sentence in log
    page = (tmp_path / "x" / "index.html").read_text()
    assert sentence in page
    assert "How long the documents in the rows are" in page
    assert f"{found['documents_cut']} longer than a row" in page


def test_tokens_of_the_text_do_not_become_markup(rows, tmp_path, capsys):
    xray(rows, tmp_path, capsys, "--packing", "--steps", "500", "--rows", "500")
    html = (tmp_path / "x" / "index.html").read_text()
    reader = Reader(html)
    assert not {"script", "img"} & set(reader.tags)
    assert "<script>alert(1)" in reader.text.replace(" ", "")


def test_only_so_many_rows_are_read_and_it_is_said(rows, tmp_path, capsys):
    found, _ = xray(rows, tmp_path, capsys, "--most-rows", "7")
    assert (found["rows"], found["rows_in_set"]) == (7, 38)
    assert "Only the first 7 of 38 rows were read." in (tmp_path / "x" / "index.html").read_text()


def test_a_text_without_ends_is_told_to_teach_no_stop(tmp_path, capsys):
    (tmp_path / "one.txt").write_text("a bird sings in the tree " * 60)
    found, log = xray(tmp_path / "one.txt", tmp_path, capsys)
    assert found["documents_cut"] == 0
    assert "No stop token is ever learned" in log


def test_it_takes_presets_and_the_choices_of_a_run_and_prints_lines(rows, tmp_path, capsys):
    words = ["xray", "--preset", "nano", "--corpus", str(rows), "--tokenizer", "characters", "--steps", "2"]
    assert linnet([*words, "--page", str(tmp_path / "x")]) == 0
    said = capsys.readouterr().out
    assert "rows                  " in said
    assert str(tmp_path / "x" / "index.html") in said
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"corpus": str(rows), "tokenizer": "characters", "model": {"context_length": 16}}))
    assert linnet(["xray", "--config", str(config), "--steps", "1", "--page", str(tmp_path / "y"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tokens"] == 32 * 16


def test_a_set_that_teaches_nothing_is_refused(tmp_path):
    tokenizer = Tokenizer.train_characters(["ab"])
    ids = torch.tensor([[4, 5, 4], [5, 4, 5]])
    nothing = examine([Batch(ids, torch.full_like(ids, IGNORE))], tokenizer, 9)
    with pytest.raises(BadInput, match="nothing would be learned: none of the 6 tokens in 2 rows is a target; look at"):
        refuse_if_nothing_is_learned(nothing, tmp_path)
    one = torch.full_like(ids, IGNORE)
    one[0, 0] = 5
    refuse_if_nothing_is_learned(examine([Batch(ids, one)], tokenizer, 9), tmp_path)


def test_such_a_set_of_the_recipe_is_one_line_and_has_its_page(rows, tmp_path, capsys, monkeypatch):
    from linnet.batches.windows import Windows

    real = Windows.batch

    def masked(self, number):
        batch = real(self, number)
        return Batch(batch.ids, torch.full_like(batch.targets, IGNORE))

    monkeypatch.setattr(Windows, "batch", masked)
    words = ["xray", *command(rows, tmp_path / "run"), "--page", str(tmp_path / "x")]
    line = refused(capsys, words, lines=None)
    assert "nothing would be learned" in line
    assert "Nothing would be learned" in (tmp_path / "x" / "index.html").read_text()


def test_a_corpus_that_is_not_there_is_one_line(tmp_path, capsys):
    said = refused(capsys, ["xray", "--corpus", str(tmp_path / "none.txt"), "--page", str(tmp_path / "x")])
    assert "none.txt" in said


def test_pairs_are_shown_chosen_and_rejected_in_turn(tmp_path, capsys):
    from tests.recipes.chat_parents import pairs, parent

    start, data = parent(tmp_path / "model"), pairs(tmp_path / "pairs.jsonl", 20)
    words = ["xray", "dpo", str(start), "--pairs", str(data), "--steps", "3", "--batch-size", "4"]
    capsys.readouterr()
    assert linnet([*words, "--page", str(tmp_path / "page"), "--rows", "4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows_in_set"], found["rows"], found["stops_learned"]) == (24, 24, 24)
    assert found["stops_not_learned"] == found["padding_learned"] == found["wrong_targets"] == 0
    assert found["learned"] < found["tokens"] / 2  # prompts are read, not learned
    page = (tmp_path / "page" / "index.html").read_text()
    assert "Shorter answer chosen" in page
    assert linnet([*words, "--corpus", "world"]) == 2
    assert "--corpus is no choice of linnet dpo" in capsys.readouterr().err
    assert linnet(["xray", "dpo"]) == 2
    assert linnet(["xray", "dpo", str(start), "--pairs", "none", "--pairs-from", "sums:5", "--out", str(tmp_path)]) == 2


@pytest.mark.slow
def test_judged_answers_are_shown_with_what_is_judged_as_learned(tmp_path, capsys):
    from linnet.batches.judged import answer_ids
    from linnet.infer.judged_answers import write_judged
    from linnet.text.tokenizer import Tokenizer
    from tests.judged_answers import judged_answers
    from tests.recipes.chat_parents import parent

    start, path = parent(tmp_path / "model"), tmp_path / "candidates-1.jsonl"
    write_judged(path, judged_answers(40))
    words = ["xray", "verifier", str(start), "--steps", "500", "--batch-size", "4", "--page", str(tmp_path / "page")]
    capsys.readouterr()
    assert linnet([*words, "--candidates", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["right"] == found["wrong"]
    assert found["rows"] == found["stops_learned"] == found["right"] + found["wrong"]
    for trouble in ("stops_not_learned", "padding_learned", "wrong_targets", "cut_short"):
        assert found[trouble] == 0
    assert "none of them is held out" in (tmp_path / "page" / "index.html").read_text()
    assert linnet([*words, "--out", str(tmp_path), "--json"]) == 0  # a run's own answers
    assert json.loads(capsys.readouterr().out)["learned"] == found["learned"]
    tokenizer = Tokenizer.load(start)
    sizes = {len(answer_ids(tokenizer, one.problem, one.answer)[1]) for one in judged_answers(40)}
    assert min(sizes) * found["rows"] <= found["learned"] <= max(sizes) * found["rows"]
    assert linnet([*words, "--out", str(tmp_path / "none")]) == 2
    assert "linnet verifier makes them when it begins" in capsys.readouterr().err


@pytest.fixture
def talks(tmp_path):
    tuned_runs.save_base(tmp_path / "base")
    return tuned_runs.write_talks(tmp_path / "talks.jsonl")


def test_the_rows_of_a_tuning_are_looked_into(talks, tmp_path, capsys):
    words = tuned_runs.command("sft", tmp_path / "base", talks, tmp_path / "run")
    assert linnet(["xray", *words, "--page", str(tmp_path / "x"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["stops_learned"] == found["stretches"] == found["conversations"]
    assert found["learned"] == 4 * found["conversations"]
    for trouble in ("stops_not_learned", "cut_short", "wrong_targets", "teaching_nothing"):
        assert found[trouble] == 0
    page = (tmp_path / "x" / "index.html").read_text()
    assert "what sft learns from" in page
    assert "held out of" in page


@pytest.mark.slow
def test_the_choices_of_a_tuned_run_are_taken(talks, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)
    assert linnet(tuned_runs.command("sft", tmp_path / "base", talks, tmp_path / "run", "--steps", "2")) == 0
    capsys.readouterr()
    words = ["xray", "sft", "--config", str(tmp_path / "run"), "--page", str(tmp_path / "x"), "--json"]
    assert linnet(words) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 8


def test_what_is_no_choice_of_sft_is_one_line(talks, tmp_path, capsys):
    words = ["xray", "sft", str(tmp_path / "base"), "--data", str(talks), "--page", str(tmp_path / "x")]
    assert "--corpus is no choice of linnet sft" in refused(capsys, [*words, "--corpus", "world"])
    assert "--model is no choice of linnet sft" in refused(capsys, [*words, "--model.num-layers", "2"])
    assert "name the model that is to be tuned" in refused(capsys, ["xray", "sft", "--data", str(talks)])
