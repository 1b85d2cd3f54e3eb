"""The picture: well-formed XML, text as text, colours of the page, the points where the numbers are."""

import itertools
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.report.curves import Chart, Level, Line, curves
from linnet.report.svg import COLORS, draw

FALL = Line("held out", ((0, 6.0), (100, 3.0), (200, 2.0)))
NOISE = Line("training", tuple((step, 6 - step / 50) for step in range(0, 201, 2)), quiet=True, group=1)
CHART = Chart("Loss", "nats per token", (FALL, NOISE), (Level("gzip", 4.5), Level("5-gram", 2.5)))


def words(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("text")]


def level_heights(svg: str) -> dict[str, float]:
    found = ElementTree.fromstring(svg).iter("text")
    return {text.text: float(text.get("y")) for text in found if ": " in (text.text or "")}


def path_points(svg: str, color: str) -> list[tuple[float, float]]:
    """Return the corners of the longest path of a colour."""
    paths = [path.get("d") for path in ElementTree.fromstring(svg).iter("path") if color in path.get("stroke", "")]
    numbers = max((re.findall(r"[ML] ([\d.]+) ([\d.]+)", path) for path in paths), key=len)
    return [(float(x), float(y)) for x, y in numbers]


def test_text_is_text_and_has_labels_and_levels():
    assert {"held out", "training", "step", "gzip: 4.5", "5-gram: 2.5", "200"} <= set(words(draw(CHART)))


def test_title_and_description_are_named_by_the_picture():
    root = ElementTree.fromstring(draw(CHART))
    assert root.get("role") == "img"
    named = [root.find(f"*[@id='{name}']") for name in root.get("aria-labelledby").split()]
    assert [element.tag for element in named] == ["title", "desc"]
    assert named[0].text == "Loss"
    assert named[1].text == CHART.description


def test_nothing_is_left_that_a_strict_page_forbids():
    svg = draw(CHART)
    assert "http" not in svg
    assert "style" not in svg
    assert "xmlns" not in svg
    assert 'width="400"' not in svg
    assert ElementTree.fromstring(svg).get("viewBox").startswith("0 0 400 ")


def test_colours_are_the_pages_own():
    svg = draw(CHART)
    colors = set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg))
    lines = {f"var(--line-{place}, {COLORS[place - 1]})" for place in (1, 2)}
    assert colors == {"none", "currentColor", "var(--paper, #fff)"} | lines


def test_points_lie_where_the_numbers_are():
    points = path_points(draw(CHART), "--line-1")
    assert len(points) == 3
    (left, top), (middle, between), (right, bottom) = points
    assert middle - left == pytest.approx(right - middle, abs=0.01)
    assert (between - top) / (bottom - top) == pytest.approx((6 - 3) / (6 - 2), abs=1e-4)


def test_log_x_spreads_the_early_steps():
    line = Line("loss", ((1, 3.0), (10, 2.0), (100, 1.0)))
    (left, _), (middle, _), (right, _) = path_points(draw(Chart("Loss", "nats", (line,), log_x=True)), "--line-1")
    assert middle - left == pytest.approx(right - middle, abs=0.01)
    with_zero = Chart("Loss", "nats", (FALL,), log_x=True)
    assert len(path_points(draw(with_zero), "--line-1")) >= 2  # step 0 has no logarithm


def test_a_speed_starts_at_zero():
    chart = Chart("Speed", "tokens a second", (Line("training", ((1, 15900.0), (9, 16100.0))),), from_zero=True)
    assert {"0", "5k", "15k"} <= set(words(draw(chart)))


def test_level_names_keep_apart_above_their_lines():
    levels = (Level("gzip", 4.0), Level("5-gram", 3.99), Level("2-gram", 3.98))
    heights = level_heights(draw(Chart("Loss", "nats", (FALL,), levels)))
    in_order = sorted(heights.values())
    assert len(in_order) == 3
    assert min(b - a for a, b in itertools.pairwise(in_order)) >= 14
    assert heights["gzip: 4"] < heights["5-gram: 3.99"] < heights["2-gram: 3.98"]


def test_the_same_chart_gives_the_same_picture_and_charts_share_no_ids(run):
    first, second = curves({"mine": run})[:2]
    assert draw(first) == draw(first)
    ids = [re.findall(r' id="([^"]+)"', draw(chart)) for chart in (first, second)]
    assert len(ids[0]) == len(set(ids[0]))
    assert not set(ids[0]) & set(ids[1])
    for svg in (draw(first), draw(second)):
        used = set(re.findall(r"#(chart-[\w-]+)", svg))
        assert used
        assert used <= set(re.findall(r' id="([^"]+)"', svg))


def test_a_single_point_and_a_flat_line_are_drawn():
    svg = draw(Chart("Loss", "nats", (Line("one", ((5, 2.0),), quiet=True),)))
    assert "<use " in svg
    draw(Chart("Share", "x", (Line("none", ((1, 0.0), (2, 0.0))),), from_zero=True, as_percent=True))


@settings(max_examples=5, deadline=None)
@given(st.text(max_size=80))
@pytest.mark.filterwarnings("ignore")
def test_any_label_gives_well_formed_xml(label):
    chart = Chart(label, label, (Line(label, ((1, 1.0), (2, 2.0))), FALL), (Level(label, 1.5),))
    ElementTree.fromstring(draw(chart))


def test_labels_are_neither_mathematics_nor_markup():
    label = "$\\frac{$ </text><script>"
    svg = draw(Chart("Loss", "nats", (Line(label, ((1, 1.0), (2, 2.0))), Line("_hidden", FALL.points))))
    assert label in words(svg)
    assert "\u200b_hidden" in words(svg)
    assert "<script" not in svg


def test_intervals_are_upright_bars_and_the_axis_has_its_name():
    bare = Line("a", ((1, 0.5), (2, 0.6)))
    barred = Line("a", ((1, 0.5), (2, 0.6)), intervals=((0.4, 0.7), (0.5, 0.8)))
    without, with_bars = (draw(Chart("t", "u", (line,), across="tries")) for line in (bare, barred))
    assert ">tries<" in without
    assert ">step<" not in without
    assert with_bars.count("<path") == without.count("<path") + 2
