"""`linnet compare`: a table, a page and CSV of finished cells; what grows, what is refused; killed, it goes on."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from linnet.cli import main as linnet
from linnet.core.files import file_hash
from linnet.core.run import Run
from linnet.evals.compare_config import Share, cell
from linnet.recipes import sft
from linnet.train import session
from tests.evals.comparisons import choices, home, options
from tests.small_runs import refused


@pytest.fixture(scope="module", autouse=True)
def surroundings(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(session, "matmul_limit", lambda *_: 1e11)  # a measurement that takes longer than the training
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a finished comparison; its trainings were made here, to the very choices that it asks for."""
    place = home(tmp_path_factory.mktemp("compared"))
    cfg = choices(place)
    for method in cfg.methods:
        for seed in range(cfg.seeds):
            sft.main(
                cell(cfg, method, Share(cfg.steps, cfg.batch_size), seed, cfg.out / "trained" / f"{method}-{seed}")
            )
    assert linnet(options(cfg)) == 0
    return place


def table(place):
    return {row["name"]: row for row in json.loads((place / "out" / "table.json").read_text())["rows"]}


def test_every_method_and_baseline_has_a_row(place):
    rows = table(place)
    assert list(rows) == ["majority", "n-gram", "bag of words", "zero-shot", "few-shot", "full", "lora"]
    result = Run.result(place / "out" / "trained" / "lora-0")
    assert rows["lora"]["trained_parameters"] == result["trained_parameters"] < rows["full"]["trained_parameters"]
    assert rows["full"]["trained_parameters"] == rows["full"]["parameters"]
    record = json.loads((place / "out" / "trained" / "lora-0" / "record.json").read_text())
    assert rows["lora"]["peak_memory_bytes"] >= record["peak_memory_bytes"] > 2**20
    for name in ("full", "lora"):
        scores = [json.loads((place / f"out/measured/{name}-{seed}.json").read_text())["scores"] for seed in (0, 1)]
        assert rows[name]["scores_of_seeds"] == pytest.approx([sum(each) / 12 for each in scores])
        assert rows[name]["seconds"] > 0
        before = rows["zero-shot"]["bits_per_byte"]
        assert rows[name]["forgotten"]["difference"] == pytest.approx(rows[name]["bits_per_byte"] - before)
    assert rows["lora"]["against_reference"]["verdict"] in ("better", "worse", "not shown")


def test_table_page_and_picture_say_the_same(place):
    rows, out = table(place), place / "out"
    with open(out / "table.csv") as file:
        flat = {row["name"]: row for row in csv.DictReader(file)}
    assert {name: float(row["score"]) for name, row in flat.items()} == {
        name: row["score"] for name, row in rows.items()
    }
    html, picture = (out / "index.html").read_text(), (out / "table.svg").read_text()
    for name, row in rows.items():
        assert name in html
        assert f"{row['score']:.3f}" in html
        assert name in picture or row["kind"] == "trivial"


def test_a_second_time_nothing_is_done_and_the_table_is_printed(place, capsys):
    before = {path: path.stat().st_mtime_ns for path in (place / "out").rglob("*.json")}
    assert linnet(options(choices(place))) == 0
    done = capsys.readouterr()
    assert "nothing to do" in done.err
    assert "lora" in done.out
    assert linnet([*options(choices(place)), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reference"] == "full"
    assert {path: path.stat().st_mtime_ns for path in (place / "out").rglob("*.json")} == before


def test_what_was_made_otherwise_is_refused(place, capsys, tmp_path):
    for more, said in (({"steps": 5}, "steps was 4, now 5"), ({"rows": 13}, "rows was 12, now 13")):
        line = refused(capsys, options(choices(place, **more)), lines=None)
        assert said in line
        assert "--out" in line
    moved = tmp_path / "moved"
    shutil.copytree(place, moved)
    cfg = choices(moved)
    record = json.loads((cfg.out / "record.json").read_text().replace(str(place), str(moved)))
    config = json.loads((cfg.out / "config.json").read_text().replace(str(place), str(moved)))
    (cfg.out / "record.json").write_text(json.dumps(record))
    (cfg.out / "config.json").write_text(json.dumps(config))
    assert linnet(options(cfg)) == 0
    (moved / "base" / "model.safetensors").write_bytes((place / "base" / "model.safetensors").read_bytes() + b" ")
    assert "has changed since" in refused(capsys, options(cfg), lines=None)


@pytest.mark.slow
def test_a_comparison_grows_by_a_seed_or_shrinks_by_a_method(place, capsys):
    assert linnet(options(choices(place, methods=("lora",)))) == 0
    assert "full" not in table(place)
    assert table(place)["lora"]["against_reference"] is None
    assert linnet(options(choices(place))) == 0
    assert "skipped" in capsys.readouterr().err
    assert "full" in table(place)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["compare", "/nowhere"], "no model folder"),
        (["compare", "BASE", "--task", "wikitext", "--out", "NEW"], "whole texts"),
        (["compare", "BASE", "--budget", "time"], "the command line: --budget time and --seconds belong together"),
        (["compare", "BASE", "--methods", "lara"], "lara"),
    ],
)
def test_bad_input_is_one_line(place, capsys, tmp_path, change, said):
    words = [
        str(place / "base") if word == "BASE" else str(tmp_path / "n") if word == "NEW" else word for word in change
    ]
    assert said in refused(capsys, words, lines=None)


def test_an_encoder_is_refused(place, capsys, tmp_path):
    (tmp_path / "model.json").write_text(json.dumps({"kind": "encoder"}))
    assert "kind encoder" in refused(capsys, ["compare", str(tmp_path), "--out", str(tmp_path / "out")], lines=None)


@pytest.mark.slow
def test_killed_again_and_again_it_ends_as_if_never_touched(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = home(tmp_path)
    cfg = choices(place, methods=("lora", "prompt"), seeds=2, steps=60)
    whole, killed = options(cfg.but(out=place / "whole")), options(cfg.but(out=place / "killed"))
    assert linnet(whole) == 0
    kills, children = 0, []
    while kills < 6:
        process = subprocess.Popen([sys.executable, "-m", "linnet", *killed], stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=(3, 6, 9)[kills % 3])
            break
        except subprocess.TimeoutExpired:
            children += [int(word) for word in _children(process.pid)]
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            time.sleep(0.3)
            assert not [child for child in children if _runs(child)]
    assert kills
    assert linnet(killed) == 0
    for method in cfg.methods:
        for seed in range(2):
            weights = [
                place / out / "trained" / f"{method}-{seed}" / "adapter_model.safetensors"
                for out in ("whole", "killed")
            ]
            assert file_hash(weights[0]) == file_hash(weights[1])
    rows = [
        {row["name"]: row["scores_of_seeds"] for row in json.loads((place / out / "table.json").read_text())["rows"]}
        for out in ("whole", "killed")
    ]
    assert rows[0] == rows[1]


@pytest.mark.slow
@pytest.mark.parametrize("budget", [{"budget": "time", "seconds": 1.0}, {"budget": "memory", "memory_mib": 4000.0}])
def test_equal_time_and_equal_memory_end_to_end(tmp_path, budget):
    place = home(tmp_path)
    cfg = choices(place, methods=("full", "prompt"), seeds=1, batch_size=4, **budget)
    words = [
        *options(cfg),
        *(word for name, value in budget.items() for word in (f"--{name.replace('_', '-')}", str(value))),
    ]
    assert linnet(words) == 0
    rows = table(place)
    for name in cfg.methods:
        if cfg.budget == "time":
            assert rows[name]["steps"] == max(1, int(1.0 / rows[name]["probed_step_seconds"]))
        else:
            assert rows[name]["batch_size"] == 4
            assert 2**20 < rows[name]["predicted_peak_bytes"] < 4000 * 2**20
            assert 0.8 < rows[name]["peak_memory_bytes"] / rows[name]["predicted_peak_bytes"] < 1.25


def _children(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return file.read().split()
    except FileNotFoundError:
        return []


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
