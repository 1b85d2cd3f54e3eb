"""The phrase book: a sentence tells one event only, each template is told and read."""

import pytest

from linnet.data.world import documents
from linnet.data.world.checker import RULES
from linnet.data.world.phrases import CHAPTERS, PHRASES, is_ending, is_opening
from linnet.data.world.reading.patterns import read
from linnet.data.world.reading.sentences import sentences


@pytest.fixture(scope="module")
def told():
    """Return the sentences of many stories."""
    return [sentence for text in documents("train", 3, 1500, kinds=("stories",)) for sentence in sentences(text)]


def test_each_event_is_in_one_chapter_and_has_a_rule():
    assert sum(map(len, CHAPTERS)) == len(PHRASES)
    assert RULES.keys() == PHRASES.keys()


def test_no_template_is_written_twice():
    templates = [template for templates in PHRASES.values() for template in templates]
    assert len(set(templates)) == len(templates)


def test_each_sentence_has_one_reading(told):
    for sentence in set(told):
        assert len(read(sentence)) == 1, sentence


def test_each_event_is_told(told):
    assert {read(sentence)[0].event for sentence in told} == PHRASES.keys()


def test_openings_and_endings():
    assert is_opening("open two")
    assert not is_opening("come")
    assert sum(map(is_ending, PHRASES)) == 12
