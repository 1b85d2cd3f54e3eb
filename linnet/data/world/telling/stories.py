"""Stories: a plot with people, a thing and a place, drawn until the combination belongs to the wanted split."""

import random
from collections.abc import Callable
from typing import NamedTuple

from linnet.data.world.combinations import Split, split_of
from linnet.data.world.lexicon import (
    ANIMALS,
    BAKED,
    FRUITS,
    KEEPSAKES,
    NAMES,
    OUTDOORS,
    PLACES,
    SPOTS,
    TOOLS,
)
from linnet.data.world.telling import adventures, plots
from linnet.data.world.telling.teller import Teller

ANYWHERE = tuple(PLACES)


class Plot(NamedTuple):
    """How a story goes, and what it may be about and where it may begin."""

    tell: Callable[[Teller, str, str, str], None]
    about: tuple[str, ...]
    places: tuple[str, ...] = ANYWHERE


PLOTS = {
    "lost": Plot(plots.lost, KEEPSAKES),
    "gift": Plot(plots.gift, KEEPSAKES),
    "lend": Plot(plots.lend, KEEPSAKES),
    "swap": Plot(plots.swap, KEEPSAKES),
    "whose": Plot(plots.whose, KEEPSAKES),
    "errand": Plot(plots.errand, KEEPSAKES),
    "animal": Plot(adventures.animal, ANIMALS),
    "dark": Plot(adventures.dark, KEEPSAKES),
    "bake": Plot(adventures.bake, BAKED),
    "hide": Plot(adventures.hide, SPOTS),
    "storm": Plot(adventures.storm, KEEPSAKES, OUTDOORS),
    "tool": Plot(adventures.tool, TOOLS),
    "share": Plot(adventures.share, tuple(FRUITS)),
}
PLOT_NAMES = tuple(PLOTS)


class Combination(NamedTuple):
    """What decides the split of a story: its plot, whom and what it is about, and where it begins."""

    plot: str
    name: str
    about: str
    place: str


class Story(NamedTuple):
    """A story's combination and the teller that told it, who still knows what is true at its end."""

    combination: Combination
    teller: Teller

    @property
    def text(self) -> str:
        """The story in words."""
        return self.teller.text()


def tell_story(rng: random.Random, split: Split) -> Story:
    """Tell a story whose combination belongs to the split."""
    combination = draw(rng)
    while split_of("stories", *combination) != split:
        combination = draw(rng)
    teller = Teller(rng)
    PLOTS[combination.plot].tell(teller, combination.name, combination.about, combination.place)
    return Story(combination, teller)


def draw(rng: random.Random) -> Combination:
    """Return a combination, every plot with the same chance."""
    name = rng.choice(PLOT_NAMES)
    plot = PLOTS[name]
    return Combination(name, rng.choice(NAMES), rng.choice(plot.about), rng.choice(plot.places))


def combinations() -> int:
    """Return how many combinations there are."""
    return sum(len(NAMES) * len(plot.about) * len(plot.places) for plot in PLOTS.values())
