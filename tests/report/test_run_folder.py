"""What a page learns from a run folder; folders that are missing, unfinished or broken are refused in one line."""

import json

import pytest

from linnet.core.errors import BadInput
from linnet.core.run import Run
from linnet.report import run_folder
from linnet.report.page import Link, Sample
from tests.report.material import STORIES, Toy, make_run


def test_facts_come_from_config_and_record(run):
    facts = dict(run_folder.facts(run).facts)
    assert facts["Network"] == "4 layers, width 256, 2 heads, context of 256 tokens, 512 token ids"
    assert facts["Training"] == "600 steps of 32 rows of 256 tokens"
    assert facts["Held out"] == "10% of the text, never trained on"
    assert facts["Seed"] == "7"
    assert facts["Data"] == "world (sha256 5f5f5f5f5f5f)"
    assert facts["Code"].startswith("linnet 0")
    assert "torch" in facts["Libraries"]
    assert "cores" in facts["Hardware"]
    assert "UTC, after" in facts["Finished"]
    assert "Made from" not in facts


def test_the_architecture_that_was_built_wins_over_the_one_asked_for(run):
    (run / "model.json").write_text('{"num_layers": 9, "vocab_size": 65536}')
    assert dict(run_folder.facts(run).facts)["Network"] == "9 layers, 65,536 token ids"


def test_facts_of_odd_values_are_left_out(run):
    (run / "config.json").write_text('{"model": [], "steps": "many", "held_out": "much", "corpus": null}')
    (run / "record.json").write_text('{"code": 3, "versions": [], "hardware": {"gpus": 2}, "wall_clock_seconds": "x"}')
    assert run_folder.facts(run).facts == ()


def test_stage_is_what_the_run_cost(run):
    record = json.loads((run / "record.json").read_text())
    stage = run_folder.stage("pretrain", run)
    assert (stage.name, stage.folder) == ("pretrain", run)
    assert stage.seconds == record["wall_clock_seconds"]
    assert stage.peak_memory_bytes == record["peak_memory_bytes"] > 0
    assert stage.peak_gpu_memory_bytes is None


def test_an_unfinished_run_has_no_cost(tmp_path):
    folder = make_run(tmp_path / "run", finish=False)
    with pytest.raises(BadInput, match="not finished"):
        run_folder.stage("pretrain", folder)


def test_samples_come_back_as_they_were_written(tmp_path):
    texts = ["one\n\ntwo", "a fence ``` inside\n```\n## step 99\n", "", "unhanded"]
    with Run.start(tmp_path / "run", Toy(), track="none") as run:
        run.sample("before any step")
        for step, text in zip((0, 5, 5, None), texts, strict=True):
            run.sample(text, step)
    found = run_folder.samples(tmp_path / "run")
    assert found == [(None, "before any step"), *zip((0, 5, 5, 5), texts, strict=True)]


def test_a_sample_cut_short_is_left_out(run):
    with open(run / "samples.md", "a") as file:
        file.write("## step 700\n\n```text\nhalf of")
    assert [step for step, _ in run_folder.samples(run)] == [0, 300, 600]


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), (b"# my notes\n", "not as a run writes it"), (b"\xff" * 9, "not as a run writes it")],
)
def test_samples_that_no_run_wrote_are_refused(tmp_path, content, said):
    if content is not None:
        (tmp_path / "samples.md").write_bytes(content)
    with pytest.raises(BadInput, match=said):
        run_folder.samples(tmp_path)


def test_samples_are_read_up_to_a_bound(tmp_path):
    with open(tmp_path / "samples.md", "wb") as file:
        file.truncate(run_folder.SAMPLES_MAX_BYTES + 1)
    with pytest.raises(BadInput, match="larger than"):
        run_folder.samples(tmp_path)


def test_before_midway_after_are_first_middle_and_last(run):
    chosen = run_folder.before_midway_after(run_folder.samples(run))
    assert [sample.heading for sample in chosen] == [
        "Before training, step 0",
        "Midway, step 300",
        "After training, step 600",
    ]
    assert chosen[2].text == STORIES[2]
    many = [(step, str(step)) for step in (10, 20, 490, 900, 1000)] + [(1000, "second")]
    assert [sample.text for sample in run_folder.before_midway_after(many)] == ["10", "490", "1000"]
    assert run_folder.before_midway_after([(5, "x")]) == (Sample("x", heading="After training, step 5"),)
    assert run_folder.before_midway_after([(None, "x")]) == ()


def test_files_are_linked_by_their_place_in_the_pages_folder(run, tmp_path):
    (tmp_path / "notes.txt").write_text("12345")
    (run / "tensorboard").mkdir()
    (run / "tensorboard" / "events").write_bytes(b"0" * 2048)
    (run / ".hidden.tmp").write_text("")
    table = run_folder.files_table(tmp_path, [run])
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows[Link("notes.txt", "notes.txt")] == ("5 bytes", "")
    assert rows[Link("pretrain/model.safetensors", "pretrain/model.safetensors")] == ("4.9 KiB", "the weights")
    assert rows[Link("pretrain/tensorboard/", "pretrain/tensorboard")] == ("2.0 KiB", "curves for TensorBoard")
    assert len(rows) == 8
    elsewhere = run_folder.files_table(run, [tmp_path])
    assert str(tmp_path / "notes.txt") in [row[0] for row in elsewhere.rows]
    with pytest.raises(BadInput, match="no such run folder"):
        run_folder.files_table(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["config.json", "record.json"])
@pytest.mark.parametrize("content", [None, "", "{", "[1, 2]"])
def test_a_missing_or_broken_file_is_one_line_that_names_it(run, name, content):
    (run / name).unlink()
    if content is not None:
        (run / name).write_text(content)
    with pytest.raises(BadInput) as refused:
        run_folder.facts(run)
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)
