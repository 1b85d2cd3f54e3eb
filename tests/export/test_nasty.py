"""What certificates ask is plenty, without doubles, and of the roles that there are."""

from linnet.export.nasty import TALKS, TEXTS
from linnet.text.chat import ROLES


def test_there_are_many_texts_and_talks_each_once():
    assert len(set(TEXTS)) == len(TEXTS) >= 28
    assert len(set(TALKS)) == len(TALKS) >= 30
    assert {role for turns in TALKS for role, _ in turns} == set(ROLES)


def test_the_texts_hold_what_tokenizers_stumble_over():
    letters = set("".join(TEXTS))
    for letter in "\n\r\t\x00\u00a0\u200b\u2028\ufeff\u0301\u202e\u65e5\U0001f469\U0010fffd\u2581":
        assert letter in letters
    assert "" in TEXTS
