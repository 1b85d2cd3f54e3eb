"""The run folder: written at the start, finished last, resumed with one line a step, never overwritten by another."""

import json
from pathlib import Path

import pytest

from linnet.core.config import Config
from linnet.core.errors import BadInput
from linnet.core.files import file_hash, read_json
from linnet.core.run import Run, differences, metrics_csv, read_metrics


class Inner(Config):
    num_layers: int = 2
    """How many layers."""


class Toy(Config):
    corpus: Path = Path("a.txt")
    """What to read."""
    model: Inner = Inner()
    """The network."""
    steps: int = 3
    """How many steps."""
    seed: int = 7
    """The seed."""
    out: str = "runs/toy"
    """Where to write."""
    resume: bool = False
    """Whether to go on."""


def start(folder: Path, config: Config | None = None, **options) -> Run:
    return Run.start(folder, config or Toy(), recipe="toy", track="none", **options)


def finished(folder: Path) -> Path:
    with start(folder) as run:
        run.log(1, loss=1.0)
        run.finish(loss=1.0)
    return folder


def test_config_and_record_are_there_from_the_start(tmp_path):
    with start(tmp_path / "run", data_hashes={"a.txt": "ab"}) as run:
        assert Toy.build(read_json(run.folder / "config.json"), "x") == Toy()
        record = read_json(run.folder / "record.json")
        assert record["seed"] == 7
        assert record["data"] == {"a.txt": "ab"}
        assert {"linnet", "commit", "changed"} == set(record["code"])
        assert {"python", "torch", "numpy", "tokenizers"} <= set(record["versions"])
        assert record["hardware"]["cores"] >= 1
        assert "finished" not in record
        assert not Run.finished(run.folder)


def test_finish_writes_the_result_last_with_hashes_of_everything(tmp_path):
    with start(tmp_path / "run") as run:
        (run.folder / "state").mkdir()
        (run.folder / "model.safetensors").write_bytes(b"weights")
        run.log(1, loss=2.0)
        run.finish(loss=2.0, other=float("nan"))
    result = read_json(run.folder / "result.json")
    assert result["numbers"] == {"loss": 2.0, "other": None} == Run.result(run.folder)
    assert set(result["files"]) == {"config.json", "record.json", "model.safetensors"}
    assert all(file_hash(run.folder / name) == digest for name, digest in result["files"].items())
    record = read_json(run.folder / "record.json")
    assert record["wall_clock_seconds"] >= 0
    assert record["peak_memory_bytes"] > 2**20
    assert not (run.folder / "state").exists()
    assert Run.finished(run.folder)


def test_a_child_records_the_hash_of_its_parent(tmp_path):
    parent = finished(tmp_path / "parent")
    with start(tmp_path / "child", parents=[parent]) as run:
        assert read_json(run.folder / "record.json")["parents"] == {str(parent): file_hash(parent / "result.json")}


def test_a_finished_run_of_another_config_is_not_overwritten(tmp_path):
    folder = finished(tmp_path / "run")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    other = Toy(steps=4, model=Inner(num_layers=9))
    with pytest.raises(BadInput, match=r"model\.num_layers was 2, now 9; steps was 3, now 4\); choose another --out"):
        start(folder, other)
    with pytest.raises(BadInput, match=r"steps was 3, now 4"):
        Run.check(folder, other, "toy")
    Run.check(folder, Toy(), "toy")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    with pytest.raises(BadInput, match="it is a toy run"):
        Run.start(folder, Toy(), recipe="pretrain")
    start(folder, Toy(out="elsewhere", resume=True)).close()


def test_starting_again_leaves_nothing_of_the_run_before(tmp_path):
    folder = finished(tmp_path / "run")
    (folder / "model.safetensors").write_bytes(b"old")
    (folder / "state").mkdir()
    with start(folder) as run:
        run.log(5, loss=9.0)
    assert [row["step"] for row in read_metrics(folder)] == [5]
    assert not Run.finished(folder)
    assert not (folder / "state").exists()
    assert not (folder / "model.safetensors").exists()


def test_resume_goes_on_with_one_line_a_step(tmp_path):
    folder = tmp_path / "run"
    with start(folder) as run:
        for step in (1, 2, 3):
            run.log(step, loss=float(step))
            run.sample(f"sample\n```\n## step 9\n{step}", step)
    with start(folder, resume=True) as run:
        run.cut_after(2)
        run.log(3, loss=30.0)
        run.finish()
    assert [(row["step"], row["loss"]) for row in read_metrics(folder)] == [(1, 1.0), (2, 2.0), (3, 30.0)]
    seconds = [row["seconds"] for row in read_metrics(folder)]
    assert seconds == sorted(seconds)
    samples = (folder / "samples.md").read_text()
    assert "## step 2" in samples
    assert "## step 9\n2\n````\n" in samples
    assert "## step 3" not in samples
    assert len(read_json(folder / "record.json")["resumed"]) == 1
    assert metrics_csv(folder).startswith("step,seconds,loss\n")


def test_resume_of_another_config_or_other_data_is_refused(tmp_path):
    folder = tmp_path / "run"
    start(folder, data_hashes={"corpus": "aa"}).close()
    with pytest.raises(BadInput, match=r"the run to resume there was made otherwise \(seed was 7, now 8"):
        start(folder, Toy(seed=8), resume=True)
    with pytest.raises(BadInput, match="corpus has changed"):
        start(folder, resume=True, data_hashes={"corpus": "bb"})
    with start(folder, resume=True) as run, pytest.raises(BadInput, match="corpus has changed"):
        run.note_data("corpus", "bb")


def test_resume_of_a_finished_run_starts_fresh(tmp_path):
    folder = finished(tmp_path / "run")
    with start(folder, resume=True) as run:
        assert not Run.finished(folder)
        run.log(7, loss=1.0)
    assert [row["step"] for row in read_metrics(folder)] == [7]


def test_resume_where_nothing_is_starts_fresh(tmp_path):
    with start(tmp_path / "run", resume=True) as run:
        run.log(1, loss=1.0)
    assert read_json(tmp_path / "run" / "record.json")["resumed"] == []


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"precious")
    with pytest.raises(BadInput, match=r"holds model\.safetensors but no linnet run"):
        start(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]
    with pytest.raises(BadInput, match="is a file"):
        start(tmp_path / "model.safetensors")


def test_a_run_killed_in_its_first_moment_can_start_again(tmp_path):
    (tmp_path / "metrics.jsonl").touch()
    start(tmp_path).close()
    (tmp_path / "config.json").unlink()
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n')
    with pytest.raises(BadInput, match=r"holds metrics\.jsonl"):
        start(tmp_path)


def test_differences_leave_out_what_may_change(tmp_path):
    folder = finished(tmp_path / "run")
    assert differences(folder, Toy(out="b", resume=True), "toy") == []
    assert differences(folder, Toy(corpus=Path("b.txt")), "toy") == ["corpus was 'a.txt', now 'b.txt'"]


def test_everything_is_strict_json(tmp_path):
    folder = finished(tmp_path / "run")
    for name in ("config.json", "record.json", "result.json"):
        json.loads((folder / name).read_text(), parse_constant=lambda word: pytest.fail(word))


def test_the_result_of_an_unfinished_run_is_refused(tmp_path):
    start(tmp_path / "run").close()
    with pytest.raises(BadInput, match="no finished run"):
        Run.result(tmp_path / "run")
