"""The page of a comparison: its numbers stand on it, its pictures have a point a method, baselines are levels."""

from linnet.report.bars import bars
from linnet.report.comparing import (
    at_the_edge,
    bars_of,
    charts,
    cost_table,
    next_commands,
    replies,
    score_table,
    write_comparison_page,
    written,
)

PAIR = {"difference": -0.125, "low": -0.2, "high": -0.05, "verdict": "worse", "p": None}


def row(name, kind, score, **more):
    pairs = dict.fromkeys(("against_reference", "against_zero_shot", "against_trivial"))
    return {"name": name, "kind": kind, "score": score, "low": score - 0.1, "high": score + 0.1, **pairs, **more}


def training(learned, forgotten):
    return {
        "trained_parameters": learned, "parameters": 5000, "peak_memory_bytes": 300 * 2**20, "seconds": 12.0,
        "steps": 40, "batch_size": 8, "accumulate": 2, "rate": 0.3, "seeds": 3, "bits_per_byte": 1.5,
        "forgotten": {"difference": forgotten, "low": 0.01, "high": 0.09, "verdict": "worse"},
    }  # fmt: skip


TABLE = {
    "task": "sentiment",
    "metric": "accuracy",
    "reference": "full",
    "protocol": ["Equal steps.", "Intervals.", "Peaks."],
    "left_out": {"qlora": "one row takes too much"},
    "rows": [
        row("majority", "trivial", 0.51),
        row("bag of words", "trivial", 0.7),
        row("zero-shot", "prompted", 0.55, bits_per_byte=1.4567),
        row("full", "tuned", 0.9, **training(5000, 0.0432)),
        row("lora", "tuned", 0.775, **training(400, 0.0123)) | {"against_reference": PAIR},
    ],
}
SAID = [{"question": "Is it <good>?", "reply": "positive", "wanted": "negative", "score": 0.0}]
MEASURED = {
    "majority": {"scores": [0.0]},
    "zero-shot": {"replies": SAID, "wrote": "and went home", "opening": "Mira saw", "bits_per_byte": 1.4567},
    "lora": {"replies": [{**SAID[0], "reply": "negative", "score": 1.0}]},
}


def test_what_was_measured_stands_on_the_page(tmp_path):
    html = write_comparison_page(tmp_path, TABLE, MEASURED, 3).read_text()
    for words in (
        "0.900", "0.800 to 1.000", "worse: -0.125 (-0.200 to -0.050)", "400 of 5,000 parameters learn",
        "300 MiB", "40 x 8 x 2", "+0.0123 (+0.0100 to +0.0900)", "The base has 1.4567", "one row takes too much",
        "Is it &lt;good&gt;?", "wanted: negative", "Mira saw", "and went home", "Equal steps.", "bag of words",
    ):  # fmt: skip
        assert words in html, words


def test_pictures_have_a_point_a_method_and_baselines_as_levels():
    learned, memory, forgotten = charts(TABLE)
    assert [line.points for line in learned.lines] == [((5000, 0.9),), ((400, 0.775),)]
    assert learned.log_x
    assert memory.lines[0].points == ((300.0, 0.9),)
    assert [line.points[0][0] for line in forgotten.lines] == [0.0432, 0.0123]
    assert [(level.label, level.value) for level in learned.levels] == [("zero-shot", 0.55), ("bag of words", 0.7)]
    assert learned.lines[1].intervals == ((TABLE["rows"][4]["low"], TABLE["rows"][4]["high"]),)


def test_without_a_measure_of_forgetting_there_is_no_picture_of_it():
    plain = [{key: value for key, value in one.items() if key != "forgotten"} for one in TABLE["rows"]]
    assert len(charts({**TABLE, "rows": plain})) == 2


def test_bars_show_all_but_trivial_means_which_are_the_line():
    drawn = bars_of(TABLE)
    assert [one["run"] for one in drawn] == ["zero-shot", "full", "lora"]
    assert [one["value"] for one in drawn] == [0.55, 0.9, 0.775]
    assert drawn[0]["best_baseline"] == "bag of words"
    assert "best baseline: bag of words 0.700" in bars(drawn)


def test_replies_stand_side_by_side_question_by_question():
    said = {name: one["replies"] for name, one in MEASURED.items() if "replies" in one}
    two = {name: {"replies": [*rows, {**rows[0], "question": "And?"}]} for name, rows in said.items()}
    assert [(one.heading, one.prompt.strip()) for one in replies(two, 5, "accuracy")] == [
        ("zero-shot", "Is it <good>?"), ("lora", "Is it <good>?"), ("zero-shot", "And?"), ("lora", "And?"),
    ]  # fmt: skip
    first, second = replies(MEASURED, 1, "accuracy")
    assert first.problems == ("wanted: negative",)
    assert (second.verdict, second.problems) == ("right", ())
    assert [(one.heading, one.verdict) for one in written(MEASURED)] == [("zero-shot", "")]  # bits are no verdict
    half = {"lora": {"replies": [{**SAID[0], "score": 0.5}]}}
    (told,) = replies(half, 1, "ROUGE-L")
    assert (told.verdict, told.problems, told.note) == ("", (), "ROUGE-L 0.50; wanted: negative")


def test_costs_have_no_column_that_says_nothing():
    assert cost_table(TABLE).columns[4] == "steps x rows x summed"
    rows = [{**one, "accumulate": 1} for one in TABLE["rows"]]
    costs = cost_table({**TABLE, "rows": rows})
    assert costs.columns == ("method", "learns", "peak memory", "time", "steps x rows", "rates", "bits per byte",
                             "forgotten")  # fmt: skip
    assert costs.rows[0][4:6] == ("40 x 8", "x 0.3")
    foretold = [{**one, "predicted_peak_bytes": 2**20} if one["kind"] == "tuned" else one for one in rows]
    assert cost_table({**TABLE, "rows": foretold}).columns[3] == "predicted"


def test_a_rate_at_the_edge_of_those_tried_is_told():
    rows = [{**TABLE["rows"][3], "tried_rates": {"0.1": 2.0, "0.3": 1.0, "1": 3.0}}]
    assert at_the_edge(rows) == []
    assert "full (x 1)" in at_the_edge([{**rows[0], "rate": 1.0}])[0]
    assert "full (x 0.1)" in cost_table({**TABLE, "rows": [{**rows[0], "rate": 0.1}]}).note


def test_trivial_means_are_explained_and_held_against_the_methods_alone():
    rows = [{**one, **dict.fromkeys(("against_reference", "against_trivial"), PAIR)} for one in TABLE["rows"]]
    scores = score_table({**TABLE, "rows": rows, "trivial": {"majority": "the label most often right"}})
    assert "majority: the label most often right" in scores.note
    assert scores.rows[0][4:] == ("worse: -0.125 (-0.200 to -0.050)", "", "")
    assert scores.rows[2][6].startswith("worse")


def test_each_verdict_stands_under_what_it_is_against():
    pairs = {
        name: {**PAIR, "verdict": name.removeprefix("against_")}
        for name in ("against_reference", "against_zero_shot", "against_trivial")
    }
    scores = score_table({**TABLE, "rows": [TABLE["rows"][4] | pairs]})
    assert scores.columns[4:] == ("against full", "against zero-shot", "against the best trivial")
    assert [cell.split(":")[0] for cell in scores.rows[0][4:]] == ["reference", "zero_shot", "trivial"]


def test_a_text_that_was_learned_better_is_less_than_forgotten():
    rows = [row("full", "tuned", 0.9, **training(5000, -0.0432))]
    assert cost_table({**TABLE, "rows": rows}).rows[0][-1].startswith("-0.0432 (")


def test_the_best_is_to_be_talked_to(tmp_path):
    (section,) = next_commands(tmp_path, TABLE)
    assert [one.command for one in section.commands] == [f"linnet chat {tmp_path}/trained/full-0"]
    assert next_commands(tmp_path, {"rows": TABLE["rows"][:3]}) == []


def test_scores_stand_in_the_units_of_the_table():
    learned = charts({**TABLE, "metric": "ROUGE-L"})[0]
    assert (learned.unit, learned.number(0.775)) == ("ROUGE-L", "0.775")
