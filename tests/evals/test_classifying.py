"""Classes beside what needs no network; a column that gives the label away is told, one that does not is not."""

import random

from linnet.evals.classifying import classifier_quality, probed, rivals
from linnet.tasks.labelled_texts import Labelled

NAMES = ("real", "fake")


def texts(count: int, seed: int, leak: bool) -> list[Labelled]:
    draw, found = random.Random(seed), []
    for number in range(count):
        label = draw.randrange(2)
        word = ("calm", "shock")[label] if draw.random() < 0.8 else draw.choice(["calm", "shock"])
        site = ("times", "rumour")[label if leak else draw.randrange(2)]
        found.append(Labelled(f"a {word} story {number}", label, {"site": site, "date": str(draw.randrange(9))}))
    return found


def test_quality_by_hand():
    found = classifier_quality([0, 0, 1, 1], [0, 1, 1, 1], NAMES)
    assert found["accuracy"] == 0.75
    assert found["said"] == {"real": {"real": 1, "fake": 1}, "fake": {"real": 0, "fake": 2}}
    assert found["interval"][0] < 0.75 < found["interval"][1]


def test_a_leak_is_told_and_chance_is_not():
    for leak in (True, False):
        found = rivals(texts(200, 0, leak), texts(200, 1, leak), NAMES)
        assert found.keys() == {"blind", "bag of words", "site only", "date only", "all columns beside the text"}
        assert 0.4 < found["blind"]["accuracy"] < 0.6
        assert 0.8 < found["bag of words"]["accuracy"] < 1
        assert (found["site only"]["accuracy"] == 1) is leak
        said = probed(found, 200)
        assert any("site only gets 100.0% of 200 texts" in one for one in said) is leak
        assert not any("date only" in one for one in said)


def test_a_column_that_says_the_same_of_all_is_no_probe():
    same = [Labelled(one.text, one.label, {"subject": "village"}) for one in texts(40, 0, False)]
    assert rivals(same, same, NAMES).keys() == {"blind", "bag of words"}
