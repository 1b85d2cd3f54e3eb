"""The splits: stable, disjoint by combination, and made of the same words."""

import re
from collections import Counter

import pytest

from linnet.core.errors import BadInput
from linnet.data.world.combinations import SPLITS, generator, known_split, split_of
from linnet.data.world.phrases import PHRASES
from linnet.data.world.reading.patterns import read
from linnet.data.world.reading.sentences import sentences
from linnet.data.world.telling.stories import tell_story


@pytest.fixture(scope="module")
def told():
    """Tell stories of each split."""
    return {
        split: [tell_story(generator(0, "stories", split, i), split) for i in range(count)]
        for split, count in (("train", 4000), ("validation", 500), ("test", 500))
    }


def test_shares_are_80_10_10():
    shares = Counter(split_of("stories", i) for i in range(20_000))
    assert shares["train"] / 20_000 == pytest.approx(205 / 256, abs=0.01)
    assert shares["test"] / 20_000 == pytest.approx(26 / 256, abs=0.01)


def test_a_split_never_changes():
    known = [split_of("stories", "lost", "Mira", "kite", place) for place in ("garden", "mill", "hill", "lake")]
    assert known == ["validation", "train", "validation", "train"]


@pytest.mark.slow
def test_no_held_out_combination_is_in_train(told):
    train = {story.combination for story in told["train"]}
    for split in ("validation", "test"):
        held_out = {story.combination for story in told[split]}
        assert not train & held_out
        assert all(split_of("stories", *combination) == split for combination in held_out)


@pytest.mark.slow
def test_no_text_is_in_two_splits_or_twice(told):
    texts = [story.text for stories in told.values() for story in stories]
    assert len(set(texts)) == len(texts)


def test_each_word_and_event_of_the_test_is_in_train(told):
    words, events = {}, {}
    for split in ("train", "test"):
        texts = [story.text for story in told[split]]
        words[split] = {word for text in texts for word in re.findall(r"\w+", text)}
        events[split] = {read(sentence)[0].event for text in texts[:1000] for sentence in sentences(text)}
    assert words["test"] <= words["train"]
    assert events["test"] <= events["train"] == PHRASES.keys()


def test_generators_are_independent_and_repeatable():
    first = generator(0, "stories", "train", 0).random()
    assert first == generator(0, "stories", "train", 0).random()
    others = [generator(*key).random() for key in ((1, "stories", "train", 0), (0, "facts", "train", 0))]
    others += [generator(0, "stories", split, index).random() for split in SPLITS for index in (1, 2)]
    assert len({first, *others}) == 1 + len(others)


def test_unknown_split_is_refused():
    assert known_split("test") == "test"
    with pytest.raises(BadInput, match=r'no split "tset". Did you mean "test"'):
        known_split("tset")
