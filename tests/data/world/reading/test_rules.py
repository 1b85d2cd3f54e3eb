"""Everyday rules: what an event needs, broken one need at a time."""

import pytest

from linnet.data.world.checker import check_story

LOSS = (
    "Tom went to the hill. There he put the kite down and forgot it. He went to the lake. "
    "Tom saw that the kite was gone. "
)
MEETING = 'Just then, Mira came along. "I have lost my kite," said Tom. They went to the hill together. '
START = "One day, Tom was at the mill. He had a red kite. "


def first_problem(story: str) -> tuple[str, str]:
    problem = check_story(story).problems[0]
    return problem.category, problem.sentence


@pytest.mark.parametrize(
    ("before", "sentence", "category"),
    [
        ("", "Tom went to the mill.", "place"),
        ("Tom went to the hill. ", "Tom went back to the lake.", "place"),
        ("", "There Tom sang a song.", "place"),
        ("", "There he met Mira.", "place"),
        ("", "Tom picked it up.", "possession"),
        ("He played for a long time and left it at the mill. He went to the hill. ", "Tom took it.", "place"),
        ("", "He played for a long time and left it on the hill.", "place"),
        ("Just then, Mira came along. ", "She gave the kite to Tom.", "possession"),
        ("Just then, Mira came along. Mira went to the hill. ", "Tom gave the kite to her.", "place"),
        ("", "Tom was very sad.", "mood"),
        ("", "Tom laughed.", "mood"),
        ("", "Tom was happy again.", "mood"),
        ("Just then, Mira came along. ", '"What is wrong?" she asked.', "mood"),
        ("Just then, Mira came along. ", '"Thank you, Mira!" said Tom.', "memory"),
        ("", "He looked for it, but it was not there.", "possession"),
        ("Tom played for a long time and left it at the mill. ", "Tom saw that the kite was gone.", "place"),
        ("Just then, Mira came along. ", '"My kite is gone," said Tom.', "order"),
        ("Just then, Mira came along. ", '"Let us look by the lake," she said.', "order"),
        ("", "But it was not there.", "order"),
        ("There Tom put the kite down and forgot it. ", "There he found it.", "order"),
        ("", "Tom never forgot that Tom had found the red kite at the mill.", "name"),
        ("Just then, Mira came along. Mira went to the hill. ", '"What is the matter, Mira?" asked Tom.', "place"),
        ("Just then, Mira came along. ", "Mira went to the hill with the kite.", "possession"),
        ("Just then, Mira came along. Tom gave the kite to Mira. ", "Tom loved the kite very much.", "possession"),
        (LOSS, "He looked for the kite, but it was not there.", "order"),
        (LOSS + MEETING, '"Maybe it is on the hill," said Mira.', "place"),
        (LOSS + MEETING, "But the kite was not there.", "place"),
        (LOSS + MEETING + "There Mira found the kite. ", "There Tom saw the kite.", "order"),
        ("It was the birthday of Ben. ", "Ben went to the hill.", "place"),
    ],
)
def test_broken_need(before, sentence, category):
    assert first_problem(START + before + sentence) == (category, sentence)


def test_a_wrong_suggestion():
    story = (
        START + "He went to the hill. There he put it down and forgot it. He went to the lake. Tom saw that the kite "
        'was gone. Just then, Mira came along. "I have lost my kite," said Tom. '
    )
    assert check_story(story + '"I saw it on the hill," said Mira.').problems[0].category == "unfinished"
    assert first_problem(story + '"I saw it in the park," said Mira.')[0] == "place"
    assert first_problem(story + '"I saw it by the lake," said Mira.')[0] == "place"
