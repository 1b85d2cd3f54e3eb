"""A table over seeds from saved suites, against numbers by hand."""

import json

import numpy as np
import pytest

from linnet.core.errors import BadInput
from linnet.core.files import json_text
from linnet.evals.seeds import over_seeds
from linnet.metrics import compare_over_seeds, compare_paired, interval_over_seeds


def suite(folder, scores: dict[str, np.ndarray], task="sums", questions=None):
    """Save what a suite keeps of runs and their scores."""
    (folder / "replies").mkdir(parents=True)
    rows = [{"run": run, "task": task, "metric": name} for run in scores for name in ("exact match", "strict match")]
    rows += [{"run": run, "task": "stories", "metric": "bits per byte"} for run in scores]
    (folder / "table.json").write_text(json_text({"runs": {run: {} for run in scores}, "rows": rows}))
    for run, values in scores.items():
        lines = [
            {"question": f"q{n}" if questions is None else questions[n], "score": value, "reply": "x"}
            for n, value in enumerate(values.tolist())
        ]
        path = folder / "replies" / f"{run.replace('/', '-')}-{task}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture
def three(tmp_path):
    generator = np.random.default_rng(3)
    scores = (generator.random((3, 2, 40)) < np.array([0.2, 0.7])[:, None]).astype(float)
    folders = [
        suite(tmp_path / str(seed), {f"{seed}/base": scores[seed, 0], f"{seed}/sft": scores[seed, 1]})
        for seed in range(3)
    ]
    return folders, scores


def test_stages_over_three_seeds(three):
    folders, scores = three
    base, sft = over_seeds(folders)
    assert (base["run"], sft["run"], sft["task"], sft["metric"]) == ("base", "sft", "sums", "exact match")
    assert (sft["seeds"], sft["n"], sft["of_each_seed"]) == (3, 40, pytest.approx(scores[:, 1].mean(1)))
    assert sft["value"] == pytest.approx(scores[:, 1].mean())
    assert (sft["low"], sft["high"]) == pytest.approx(interval_over_seeds(scores[:, 1]))
    wanted = compare_over_seeds(scores[:, 1], scores[:, 0], higher_is_better=True)
    assert (sft["against_first"]["low"], sft["against_first"]["verdict"]) == (wanted.low, "better")
    assert base["against_first"] is None


def test_a_third_stage_is_compared_with_both(tmp_path):
    some = {"base": np.zeros(20), "sft": np.ones(20), "dpo": np.ones(20)}
    _, _, last = over_seeds([suite(tmp_path / "s", some)])
    assert (last["against_first"]["verdict"], last["against_before"]["verdict"]) == ("better", "not shown")


def test_one_seed_speaks_of_rows_only(three):
    folders, scores = three
    _, sft = over_seeds(folders[:1])
    wanted = compare_paired(scores[0, 1], scores[0, 0], higher_is_better=True)
    assert sft["against_before"]["p"] == wanted.p
    assert (sft["seeds"], sft["run"]) == (1, "0/sft")


def test_seeds_must_have_asked_the_same(tmp_path, three):
    folders, _ = three
    with pytest.raises(BadInput, match="give one a seed"):
        over_seeds([])
    with pytest.raises(BadInput, match="2, 1 runs"):
        over_seeds([folders[0], suite(tmp_path / "short", {"a": np.zeros(40)})])
    other = suite(tmp_path / "other", {"a": np.zeros(40), "b": np.zeros(40)}, questions=[f"x{n}" for n in range(40)])
    with pytest.raises(BadInput, match="other rows were asked"):
        over_seeds([folders[0], other])


@pytest.mark.parametrize("content", ["{", '{"question": "q"}', "[1]", "3"])
def test_damaged_replies_are_named(three, content):
    folders, _ = three
    (folders[1] / "replies" / "1-sft-sums.jsonl").write_text(content)
    with pytest.raises(BadInput, match=r"1-sft-sums\.jsonl: not the replies"):
        over_seeds(folders)
    (folders[1] / "replies" / "1-sft-sums.jsonl").unlink()
    with pytest.raises(BadInput, match="cannot be read"):
        over_seeds(folders)
    (folders[2] / "table.json").write_text("{}")
    with pytest.raises(BadInput, match="not the table"):
        over_seeds(folders)
