"""What a life gained, as tables: every number beside its interval, what came before and the best baseline."""

import pytest

from linnet.report.gains import asked_before_and_after, compute_chart, gains_table, headlines, tasks_table
from tests.report.material import gained, make_life

MODELS = {"pretrain": "base", "sft": "SFT", "dpo": "DPO"}


@pytest.fixture
def stages(tmp_path):
    return make_life(tmp_path, ["4"])


def test_a_row_a_stage_with_its_gain_and_verdict():
    table = gains_table(gained(), "sums", {"SFT": "5 min"})
    assert table.rows[0] == ("base", "0.0%", "0.0% to 0.0%", "", "", "", "")
    assert table.rows[1] == ("SFT", "20.0%", "10.0% to 24.0%", "+20.0%", "+11.0% to +29.0%", "better", "5 min")
    assert len({len(row) for row in table.rows} | {len(table.columns)}) == 1


def test_a_task_stands_beside_its_best_baseline(stages):
    rows = [
        {**row, "run": run, "value": value}
        for run, value in (("pretrain", 0.0), ("sft", 0.5), ("dpo", 0.75))
        for row in (
            {
                "task": "sums",
                "metric": "exact match",
                "best_baseline": "nearest",
                "baselines": {"nearest": 0.02},
                "against_baseline": {"verdict": "better"},
            },
            {
                "task": "sums",
                "metric": "strict match",
                "best_baseline": None,
                "baselines": {},
                "against_baseline": None,
            },
        )
    ]
    table = tasks_table(rows, MODELS)
    assert table.rows == (("sums", "exact match", "0.000", "0.500", "0.750", "nearest 0.020", "better"),)


def test_headlines_say_first_and_last(stages):
    last, judge = headlines(stages, gained(), "sums")
    assert (last.value, last.detail) == ("80.0%", "95% interval 40.0% to 96.0%; the base model 0.0%")
    assert judge.value == "0.930"


def test_compute_and_replies_are_read_from_the_run_folders(stages):
    assert compute_chart(stages["search"]).lines[0].points == ((1, 0.6), (4, 0.8))
    replies = {name: stages["tasks"] / "replies" / f"{run}-sums.jsonl" for run, name in MODELS.items()}
    samples = asked_before_and_after(replies, 3)
    assert [(one.heading, one.text, one.verdict) for one in samples] == [
        (name, "4", "right") for name in MODELS.values()
    ]
