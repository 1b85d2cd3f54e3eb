"""The checker accepts every told story and rejects spoiled ones, each kind of fault by its name."""

import random

import pytest

from linnet.data.world import check_stories, check_story, documents
from linnet.data.world.checker import CATEGORIES, LONGEST
from tests.data.world.corruptions import CORRUPTIONS, WORD

LENT = (
    "One cold morning, Zoe was in the kitchen. She had a yellow cup. Just then, Tom came along. "
    '"May I borrow your cup?" asked Tom. "Yes, but please bring it back," said Zoe. So she lent the yellow cup to Tom '
    "for the day. He took it to the hill. Then Tom went back to the kitchen. Tom gave the cup back to Zoe. "
    "Zoe was glad that Tom had brought the yellow cup back."
)


@pytest.fixture(scope="module")
def told():
    """Tell stories of the test split."""
    return list(documents("test", seed=11, count=300, kinds=("stories",)))


@pytest.fixture(scope="module")
def vocabulary(told):
    """Return every word of the stories."""
    return sorted({word for text in told for word in WORD.findall(text)})


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_every_told_story_is_accepted(split, seed):
    for text in documents(split, seed, 400, kinds=("stories",)):
        assert check_story(text).ok, (text, check_story(text).problems)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_spoiled_stories_are_rejected(name, vocabulary, told):
    rng = random.Random(name)
    spoiled = [CORRUPTIONS[name](text, rng, vocabulary) for text in told]
    tally = check_stories([text for text in spoiled if text is not None])
    assert tally.stories > 100
    assert tally.share <= 0.005


@pytest.mark.parametrize(
    ("before", "after", "category"),
    [
        ("Tom came", "Tom cames", "grammar"),
        ("So she lent", "So Mira lent", "name"),
        ("Just then, Tom came along", "Just then, Zoe came along", "name"),
        ("So she lent", "So he lent", "pronoun"),
        ("She had a yellow", "He had a yellow", "pronoun"),
        ("borrow your cup", "borrow your hat", "thing"),
        ("the yellow cup to Tom", "the green cup to Tom", "thing"),
        ("He took it to the hill. ", "", "place"),
        ("went back to the kitchen", "went back to the mill", "place"),
        (" Tom gave the cup back to Zoe.", "", "memory"),
        ("brought the yellow cup back.", "brought the yellow cup", "grammar"),
        (" Zoe was glad that Tom had brought the yellow cup back.", "", "unfinished"),
        ("Just then, Tom came along. ", "Just then, Tom came along. Zoe was very happy. ", "mood"),
        ("He took it to the hill. ", "He took it to the hill. He took it to the hill. ", "repeat"),
        ('"Yes, but please bring it back," said Zoe. ', "", "pronoun"),
        (" Zoe was glad", " Evening came. It was getting late. Zoe was glad", "order"),
    ],
)
def test_a_planted_fault_is_named(before, after, category):
    assert check_story(LENT).ok
    assert before in LENT
    problems = check_story(LENT.replace(before, after)).problems
    assert problems[0].category == category


def test_numbers_are_counted():
    story = (
        "One day, Anna was in the park. She had five plums. Just then, Max came along. Max was hungry. Anna gave three "
        "plums to Max. Now Anna had two plums left. Max ate one plum. In the evening, Anna had two plums left, and Max "
        "had two plums."
    )
    assert check_story(story).ok
    assert check_story(story.replace("Now Anna had two", "Now Anna had four")).problems[0].category == "number"
    assert check_story(story.replace("gave three", "gave six")).problems[0].category == "number"
    assert check_story(story.replace("Max had two", "Max had three")).problems[0].category == "number"


@pytest.mark.slow
def test_categories_are_the_named_ones(vocabulary, told):
    rng = random.Random(0)
    spoiled = [corrupt(text, rng, vocabulary) or text for text in told[:100] for corrupt in CORRUPTIONS.values()]
    seen = set(check_stories(spoiled).first_problems)
    assert seen <= CATEGORIES.keys()
    assert len(seen) >= 10


@pytest.mark.parametrize("text", ["", "   ", "Hello.", "One", "One day", '"', "." * 50, "x" * (LONGEST + 1)])
def test_what_is_no_story_is_rejected(text):
    verdict = check_story(text)
    assert not verdict.ok
    assert all(problem.category in CATEGORIES for problem in verdict.problems)


def test_tally():
    tally = check_stories([LENT, "Hello."])
    assert (tally.stories, tally.consistent, tally.share) == (2, 1, 0.5)
    assert tally.first_problems == {"grammar": 1}
    assert check_stories([]).share == 0
