"""Rules around a thing: presents, loans, swaps, errands, owners, tools, storms, light; broken one need at a time."""

import pytest

from linnet.data.world.checker import check_story

START = "One day, Tom was at the mill. He had a red kite. Just then, Mira came along. "
STORM = START + "Tom went to the hill. Suddenly it began to rain. Tom dropped the kite and ran to the barn. "
DARK = "One day, Tom was on the hill. His red kite was still in the barn. "


@pytest.mark.parametrize(
    ("before", "sentence", "category"),
    [
        (START, "The red kite was a present for Mira.", "memory"),
        (START, '"This is for you, Mira," said Tom.', "possession"),
        (START, '"What a lovely kite!" said Mira.', "possession"),
        (START, '"May I borrow your kite?" asked Tom.', "possession"),
        (START, '"Yes, but please bring it back," said Tom.', "order"),
        (START, "Tom lent the kite to Mira.", "memory"),
        (START + "Tom gave the kite to Mira. ", "She gave the kite back to Tom.", "memory"),
        (START, '"You kept your word, Mira," said Tom.', "memory"),
        (START, '"Let us swap," said Tom.', "order"),
        (START, '"Your kite is wonderful," said Tom.', "possession"),
        (START, '"Whose kite is this?" asked Tom.', "order"),
        (START, '"No, it belongs to Ben," said Mira.', "order"),
        (START, '"I will go at once," said Mira.', "order"),
        (START, '"Mira sends you this kite," said Tom.', "place"),
        (START, '"My red hammer is at the mill," said Mira.', "order"),
        (START, '"I will get it for you," said Tom.', "order"),
        (START, "Tom used the kite and mended the gate.", "thing"),
        (START, "Dark clouds came over the hill.", "place"),
        (START, "Tom dropped the kite and ran to the hill.", "memory"),
        (START, "Tom was cold and wet.", "mood"),
        (START, "At last the rain stopped.", "order"),
        (START, "The kite was still there.", "memory"),
        (STORM, "Tom went to the lake.", "order"),
        (STORM + "At last the rain stopped. ", "The kite was still there.", "possession"),
        (DARK, "But it was dark at the mill, and Tom was afraid of the dark.", "place"),
        (DARK, '"I am afraid of the dark," said Tom.', "mood"),
        (
            DARK + "But he was afraid, for it was dark in the barn. Tom went to the barn. ",
            "Tom took the kite.",
            "order",
        ),
    ],
)
def test_broken_need(before, sentence, category):
    problems = check_story(before + sentence).problems
    assert [p.category for p in problems if p.sentence == sentence][:1] == [category] or (
        # in the rain the kite lies on the hill: both reasons are right
        category == "possession" and problems[0].category == "place"
    )


def test_a_debt_is_left_open():
    story = (
        START + '"May I borrow your kite?" asked Mira. "Yes, but please bring it back," said Tom. He lent it to her. '
        "It was the birthday of Ben. Mira took the kite to the hill. "
        "Mira never forgot that Tom had given her the red kite."
    )
    assert not check_story(story).ok
