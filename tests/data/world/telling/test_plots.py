"""The plots about a thing: told to the end, consistent, and true at the end."""

import random

import pytest

from linnet.data.world.checker import check_story
from linnet.data.world.phrases import is_ending
from linnet.data.world.reading.patterns import read
from linnet.data.world.telling.stories import PLOTS
from linnet.data.world.telling.teller import Teller


def teller_of(plot: str, seed: int) -> Teller:
    teller = Teller(random.Random(seed))
    PLOTS[plot].tell(teller, "Mira", teller.pick(PLOTS[plot].about), teller.pick(PLOTS[plot].places))
    return teller


@pytest.mark.parametrize("plot", ["lost", "gift", "lend", "swap", "whose", "errand"])
def test_plot(plot):
    lengths = []
    for seed in range(60):
        teller = teller_of(plot, seed)
        lengths.append(len(teller.text().split()))
        assert check_story(teller.text()).ok, check_story(teller.text()).problems
        assert is_ending(read(teller.sentences[-1])[0].event)
        assert "Mira" in teller.sentences[0]
    assert min(lengths) > 50
    assert max(lengths) < 180
    assert len(set(lengths)) > 10


@pytest.mark.parametrize(("plot", "holder"), [("lost", "Mira"), ("lend", "Mira"), ("swap", None), ("gift", None)])
def test_who_holds_the_thing_at_the_end(plot, holder):
    teller = teller_of(plot, 7)
    thing = next(iter(teller.holder))
    assert (teller.holder[thing] == "Mira") == (holder == "Mira")
