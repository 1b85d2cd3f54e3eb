"""News: what is asked about an article, a tweet and a statement, and what is left out of it."""

import pytest

from linnet.core.errors import BadInput
from linnet.tasks.news import article, grade, statement, tweet

ARTICLE = {"title": "Moon sold", "text": "It was cheap.", "subject": "site.example", "date": "2016", "label": 1}
TWEET = {"tweet": "Tea cures all.", "label": "fake"}
STATEMENT = {"statement": "We won.", "speaker": "ann", "context": "a speech", "label": 5, "false_counts": 77.0}


def test_what_gives_the_label_away_is_left_out():
    assert article(ARTICLE).prompt == "Moon sold\nIt was cheap.\nQuestion: Is this news real or fake?\nAnswer:"
    shown = statement(STATEMENT).prompt
    assert shown.startswith("Statement: We won.\nSpeaker: ann\nContext: a speech\nQuestion: Is this statement false, ")
    assert "77" not in shown


def test_labels():
    assert (article(ARTICLE).answer, tweet(TWEET).answer, statement(STATEMENT).answer) == (
        " fake",
        " fake",
        " pants-fire",
    )
    with pytest.raises(BadInput, match="labels are real and fake"):
        tweet({**TWEET, "label": "unsure"})


@pytest.mark.parametrize(
    ("reply", "score", "category"),
    [("fake", 1.0, ""), ("This is real.", 0.0, "fake called real"), ("hm", 0.0, "format")],
)
def test_grades(reply, score, category):
    found = grade(tweet(TWEET), reply)
    assert (found.score, found.category) == (score, category)
    assert grade(statement({**STATEMENT, "label": 2}), "true").category == "mostly-true called true"
