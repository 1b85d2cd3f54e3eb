"""Stories: repeatable, each plot as often as the others, enough combinations."""

import random
from collections import Counter

from linnet.data.world.combinations import split_of
from linnet.data.world.telling.stories import PLOT_NAMES, combinations, draw, tell_story


def test_a_story_is_a_function_of_its_generator():
    assert tell_story(random.Random(3), "test").text == tell_story(random.Random(3), "test").text


def test_the_combination_belongs_to_the_split():
    for seed in range(50):
        story = tell_story(random.Random(seed), "validation")
        assert split_of("stories", *story.combination) == "validation"
        assert story.combination.name in story.teller.sentences[0]
        assert story.combination.about in story.text
        assert story.combination.place in story.teller.sentences[0]


def test_plots_are_drawn_alike():
    rng = random.Random(0)
    count = Counter(draw(rng).plot for _ in range(13_000))
    assert set(count) == set(PLOT_NAMES)
    assert min(count.values()) > 850
    assert max(count.values()) < 1150


def test_there_are_many_combinations():
    assert combinations() == 120 * (54 * (7 * 23 + 8 + 5 + 10 + 5 + 8) + 23 * 32)
