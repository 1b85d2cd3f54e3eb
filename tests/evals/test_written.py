"""What was written is graded by its task, or by the very target, beside the baselines."""

import pytest

from linnet.evals.written import EXACT, beside_baselines, quality, shown
from linnet.tasks.summaries import TASK as SUMMARIES
from linnet.tasks.task import Example
from linnet.tasks.text_pairs import read_text_pairs

PAIRS = [Example(word, word, word[::-1]) for word in ("abc", "de", "xyz", "ab")]


def test_the_very_target_must_be_written():
    found = beside_baselines(None, PAIRS, PAIRS, ["cba", " ed ", "zyX", ""], seed=1)
    written = found["written"]
    assert (written["score"], written["right"], written["rows"]) == (0.5, 2, 4)
    assert written["interval"][0] <= 0.5 <= written["interval"][1]
    assert found["baselines"].keys() >= {"lead", "constant", "nearest"}
    assert all(one["score"] < 0.5 for one in found["baselines"].values() if one["right"] < 2)


def test_summaries_have_rouge_beside_the_lead():
    asked = read_text_pairs("world/dialogues:20", "source", "target", "train", 0.2).held_out
    found = beside_baselines(SUMMARIES, asked, asked, [one.answer for one in asked])
    assert found["written"]["metric"] == "ROUGE-L"
    assert found["written"]["rouge1"] == pytest.approx(1.0)
    lead = found["baselines"]["lead"]
    assert 0 < lead["rougeL"] < 1
    assert lead["rougeL"] == pytest.approx(lead["score"])


def test_a_mean_has_an_interval_and_pairs_are_shown():
    same = quality(EXACT, [EXACT.grade(one, one.answer) for one in PAIRS])
    assert same["interval"] == [1.0, 1.0]
    text = shown(PAIRS[:1], ["cb"])
    assert text == "[source] abc\n[reference] cba\n[written] cb"
    with pytest.raises(ValueError, match="examples already"):
        EXACT.example({})
