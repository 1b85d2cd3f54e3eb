"""Charts hold the logged numbers and no others; broken logs are refused in one line."""

import json

import pytest

from linnet.core.errors import BadInput
from linnet.core.run import read_metrics
from linnet.report.curves import Chart, Level, Line, curves, finite, loss_chart, place, rows
from tests.report.material import make_run


def test_the_charts_hold_every_number_that_was_logged(run):
    logged = read_metrics(run)
    charts = {chart.title: chart for chart in curves({"mine": run}, [Level("gzip", 2.3)])}
    held_out, training = charts["Loss"].lines
    assert training.points == tuple((row["step"], row["loss"]) for row in logged)
    assert held_out.points == tuple((row["step"], row["held_out_loss"]) for row in logged if "held_out_loss" in row)
    assert len(held_out.points) == 11
    assert [chart.levels for chart in charts.values()].count((Level("gzip", 2.3),)) == 1
    assert charts["Held-out text"].levels == (Level("gzip", 2.3),)
    assert {chart.unit for chart in charts.values()} >= {"bits per byte", "tokens a second", "factor of its peak"}
    assert charts["Use of the machine"].as_percent


def test_several_runs_share_a_chart_with_a_label_and_a_colour_each(run, tmp_path):
    other = make_run(tmp_path / "other", seed=1, best=1.3)
    chart = loss_chart({"wide": run, "narrow": other})
    assert [line.label for line in chart.lines] == [
        "wide, held out",
        "wide, training",
        "narrow, held out",
        "narrow, training",
    ]
    assert [line.group for line in chart.lines] == [0, 0, 1, 1]
    assert curves({"wide": run, "narrow": other})[1].lines[1].label == "narrow"


def test_log_x_reaches_every_chart(run):
    assert {chart.log_x for chart in curves({"mine": run}, log_x=True)} == {True}


def test_the_description_says_first_and_last_numbers_and_levels():
    chart = Chart("Loss", "nats", (Line("held out", ((0, 6.25), (1200, 1.5))),), (Level("gzip", 2.31),))
    assert chart.description == (
        "Loss, nats, over training steps. held out: 6.25 at step 0, 1.5 at step 1,200; gzip: 2.31."
    )


def test_a_table_is_short_and_has_first_and_last_step():
    chart = Chart("Loss", "nats", (Line("a", tuple((step, step / 7) for step in range(1001))), Line("b", ((3, 1.0),))))
    table = rows(chart)
    assert table[0] == ["step", "a", "b"]
    assert len(table) == 13
    assert table[1] == ["0", "0", ""]
    assert table[-1] == ["1,000", "142.9", ""]
    sparse = Chart("Loss", "nats", (chart.lines[0], Line("b", ((3, 1.0), (70, 2.0)))), (Level("gzip", 2.3),))
    assert rows(sparse) == [
        ["step", "a", "b", "gzip"],
        ["3", "0.4286", "1", "2.3"],
        ["70", "10", "2", "2.3"],
    ]


def test_numbers_are_written_for_people():
    chart = Chart("Speed", "tokens a second", ())
    assert [chart.number(value) for value in (16012.4, 1.23456, 0.0)] == ["16,012", "1.235", "0"]
    assert Chart("Share", "of the limit", (), as_percent=True).number(0.5123) == "51.2%"


@pytest.mark.parametrize("value", [None, "1.0", True, float("nan"), float("inf"), 10**400, [1], {}])
def test_what_is_no_finite_number_is_left_out(tmp_path, value):
    assert finite(value) is None
    lines = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": value}, {"step": 10**400, "loss": 1.0}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert loss_chart({"run": tmp_path}).lines[0].points == ((1, 2.0),)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "metrics.jsonl: does not exist"),
        ("", "metrics.jsonl: holds no whole line"),
        ("\x00\xff{{{", "metrics.jsonl: holds no whole line"),
        ('{"step": 1, "seconds": 0.5}\n', "no losses or speeds in metrics.jsonl"),
    ],
)
def test_a_log_without_numbers_is_refused_in_one_line(tmp_path, content, said):
    if content is not None:
        (tmp_path / "metrics.jsonl").write_text(content)
    with pytest.raises(BadInput) as refused:
        curves({"run": tmp_path})
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_chart_may_be_over_something_else_than_steps():
    line = Line("majority", ((1, 0.5), (4, 0.625)), intervals=((0.4, 0.6), (0.5, 0.7)))
    chart = Chart("Accuracy", "share right", (line,), as_percent=True, across="tries")
    assert "over tries. majority: 50.0% at tries 1, 62.5% at tries 4" in chart.description
    assert rows(chart) == [["tries", "majority"], ["1", "50.0%"], ["4", "62.5%"]]
    assert place(0.123456) == "0.1235"
    assert place(1234567) == "1,234,567"
