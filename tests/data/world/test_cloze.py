"""Cloze: only the story's own last word makes it consistent."""

from itertools import islice

import pytest

from linnet.data.world import check_story, rows
from linnet.data.world.cloze import TARGETS, text
from linnet.data.world.lexicon import BAKED, FRUITS, NAMES, PLACES, REPAIRS, THINGS

CLASSES = (NAMES, THINGS, tuple(PLACES), BAKED, REPAIRS, tuple(FRUITS.values()))


@pytest.fixture(scope="module")
def drawn():
    """Draw rows of the test split."""
    return list(islice(rows("cloze", "test", 9), 150))


@pytest.mark.slow
@pytest.mark.parametrize("start", [0, 50, 100])
def test_no_other_word_fits(start, drawn):
    for row in drawn[start : start + 50]:
        before, _, last = row["text"].rpartition(" ")
        assert last in TARGETS
        assert check_story(f"{before} {last}.").ok
        same_class = next(words for words in CLASSES if last in words)
        fitting = [word for word in same_class if check_story(f"{before} {word}.").ok]
        assert fitting == [last], (row, fitting)


def test_the_word_is_in_the_story_before_its_last_sentence(drawn):
    for row in drawn:
        story, _, last_sentence = row["text"].rpartition(". ")
        assert last_sentence.rpartition(" ")[2] in story


def test_text(drawn):
    assert text(drawn[0]) == drawn[0]["text"]
