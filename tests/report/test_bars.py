"""The picture of a suite: bars, intervals and baselines at their places, and nothing that a name could smuggle in."""

import math
import xml.etree.ElementTree as ElementTree

import pytest

from linnet.report.bars import LABELS, NUMBERS, WIDTH, bars, main_measures, write_picture

SVG = "{http://www.w3.org/2000/svg}"


def row(run="sft", task="sums", metric="exact match", value=0.5, low=0.4, high=0.6, **more):
    return {
        "run": run, "task": task, "metric": metric, "value": value, "low": low, "high": high, "higher_is_better": True,
        "baselines": {"nearest": 0.25, "lead": 0.1}, "best_baseline": "nearest", **more,
    }  # fmt: skip


def test_bars_are_as_long_as_their_values():
    root = ElementTree.fromstring(
        bars([row("base", value=0.2, low=0.1, high=0.3), row("sft", value=1.0, low=0.9, high=1.0)])
    )
    room = WIDTH - LABELS - NUMBERS
    assert [float(one.get("width")) for one in root.iter(f"{SVG}rect")] == pytest.approx([0.2 * room, room], abs=0.1)
    whiskers = [one for group in root.iter(f"{SVG}g") for one in group if one.get("x1") != one.get("x2")]
    ends = [(float(one.get("x1")) - LABELS, float(one.get("x2")) - LABELS) for one in whiskers]
    assert ends == [pytest.approx((0.1 * room, 0.3 * room), abs=0.1), pytest.approx((0.9 * room, room), abs=0.1)]
    [line] = [one for one in root.iter(f"{SVG}line") if one.get("stroke-dasharray")]
    assert float(line.get("x1")) == pytest.approx(LABELS + 0.25 * room, abs=0.1)
    said = "".join(root.itertext())
    assert all(words in said for words in ("sums: exact match", "best baseline: nearest 0.250", "0.200 [0.100, 0.300]"))


def test_only_the_main_measure_of_each_task():
    rows = [row(), row(metric="strict match"), row(task="cloze", metric="accuracy"), row("dpo")]
    rows += [row("dpo", metric="strict match")]
    assert [[(one["run"], one["metric"]) for one in group] for group in main_measures(rows)] == [
        [("sft", "exact match"), ("dpo", "exact match")],
        [("sft", "accuracy")],
    ]


def test_numbers_above_one_and_without_end():
    text = bars([row(value=40.0, low=30.0, high=math.inf, higher_is_better=False, best_baseline=None, baselines={})])
    assert "lower is better" in text
    assert "nan" not in text
    widths = [float(one.get("width")) for one in ElementTree.fromstring(text).iter(f"{SVG}rect")]
    assert 0 < widths[0] < WIDTH - LABELS - NUMBERS
    ElementTree.fromstring(bars([row(value=math.nan)]))
    ElementTree.fromstring(bars([]))


def test_names_are_text_only(tmp_path):
    evil = '<script>x</script>" onload="y\x00\ud800'
    path = write_picture(tmp_path, [row(run=evil, task=evil, best_baseline=None)])
    root = ElementTree.fromstring(path.read_bytes())
    assert not list(root.iter(f"{SVG}script"))
    assert not any("onload" in one.attrib for one in root.iter())
