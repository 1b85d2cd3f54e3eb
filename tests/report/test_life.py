"""The page of a life: numbers beside their baselines, verdicts of the real checker, nothing from outside."""

import pytest

from linnet.core.errors import BadInput
from linnet.data.world import rows
from linnet.report.life import MODELS, beside, headlines, judged, next_commands, write_life_page
from tests.report.material import MEASURED, gained, make_life

STORY = next(rows("stories"))["text"]


@pytest.fixture
def life(tmp_path):
    return tmp_path, make_life(tmp_path, [STORY, "<script>alert(1)</script>"])


def replies(stages):
    return {name: stages["tasks"] / "replies" / f"{run}-sums.jsonl" for run, name in MODELS.items()}


def test_headlines_stand_beside_what_trivial_means_reach(life):
    _, stages = life
    said = {line.label: (line.value, line.detail) for line in headlines(stages["pretrain"], MEASURED)}
    assert said["Held-out bits per byte"] == ("0.187", "gzip 2.310, 5-gram 0.900")
    assert said["Consistent stories"] == ("95.0%", "95% interval 91.0% to 97.0%; n-gram 4.0%")
    assert said["New stories"][0] == "98.0%"
    assert said["Pretraining time"][1] == "600 steps, 4,915,200 tokens"
    assert beside(MEASURED) == [("gzip", 2.31), ("5-gram", 0.9)]


def test_a_story_carries_the_verdict_of_the_checker():
    assert judged(STORY).verdict == "consistent"
    spoiled = judged(STORY.rsplit(". ", 1)[0] + ". The moon ate a bicycle.")
    assert spoiled.problems
    assert "The moon ate a bicycle." in spoiled.problems[0]


@pytest.mark.slow
def test_the_page_holds_all_sections_and_escapes_what_a_model_says(life):
    folder, stages = life
    page = write_life_page(folder, stages, "sums", gained(), replies(stages)).read_text()
    for heading in (
        "What came out",
        "How it learned",
        "What each stage gained",
        "Every task",
        "Thinking longer",
        "Before and after: sums",
        "Stories that it writes now",
        "What each stage cost",
        "What to try next",
    ):
        assert heading in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.slow
def test_a_life_without_a_judge_has_a_page(life):
    folder, stages = life
    page = write_life_page(
        folder, {name: stage for name, stage in stages.items() if name != "verifier"}, "sums", gained(), replies(stages)
    ).read_text()
    assert "AUROC" not in page
    assert "Thinking longer" in page


def test_an_unfinished_run_is_one_clear_line(life):
    folder, stages = life
    (stages["verifier"] / "result.json").unlink()
    with pytest.raises(BadInput, match="verifier"):
        write_life_page(folder, stages, "sums", gained(), replies(stages))


def test_the_commands_to_try_are_commands_of_linnet(life):
    from linnet.cli import COMMANDS

    _, stages = life
    words = [command.command.split() for command in next_commands(stages["pretrain"], stages["dpo"])]
    assert all(line[0] == "tensorboard" or line[1] in COMMANDS for line in words)
