"""Rules around a thing: presents, loans, swaps, errands, owners, tools, storms, light; broken one need at a time."""

import pytest

from linnet.data.world.checker import check_story

START = "One day, Tom was at the mill. He had a red kite. Just then, Mira came along. "
STORM = START + "Tom went to the hill. Suddenly it began to rain. Tom dropped the kite and ran to the barn. "
SWAPPING = 'She had a blue drum. "Your drum is lovely too," said Tom. '
ERRAND = '"This kite is for Ben," said Tom. "Ben is by the lake," he said. Tom gave it to Mira. Mira went to the lake. '
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
        (STORM + "At last the rain stopped. ", "The kite was still there.", "place"),
        (DARK, "But it was dark at the mill, and Tom was afraid of the dark.", "place"),
        (DARK, '"I am afraid of the dark," said Tom.', "mood"),
        (
            DARK + "But he was afraid, for it was dark in the barn. Tom went to the barn. ",
            "Tom took the kite.",
            "order",
        ),
        (START + "It was the birthday of Ben. ", "Mira wanted to give the kite to Ben.", "possession"),
        (START + "Tom gave it to Mira. It was the birthday of Ben. ", "Mira wanted to give it to Ben.", "possession"),
        (START + "Tom gave it to Mira. ", "Mira never forgot that Tom had given her the red kite.", "memory"),
        (START + "Tom gave it to Mira. ", '"I have always wanted a kite," said Tom.', "possession"),
        (START + SWAPPING, "So Mira took the kite, and Tom took the kite.", "thing"),
        (START + "She had a blue drum. ", "So Tom gave the kite to Mira, and Mira gave the drum to Tom.", "memory"),
        (START, "That night, Mira slept beside the kite, and Tom slept beside the red kite.", "grammar"),
        (START, '"Please take this kite to Ben," said Mira.', "possession"),
        (START + "Tom gave it to Mira. ", '"Please take this kite to Ben," said Mira.', "possession"),
        ("One day, Tom was at the mill. He had a red kite. ", '"This kite is for Ben," said Tom.', "place"),
        (START + '"This kite is for Ben," said Tom. ', '"Ben is at the mill," said Tom.', "place"),
        (START + '"This kite is for Mira," said Tom. ', '"Ben is at the mill," said Tom.', "name"),
        (
            START + '"This kite is for Ben," said Tom. "Ben is by the lake," he said. ',
            '"Ben is by the well," said Tom.',
            "place",
        ),
        (START + ERRAND, '"Ben sends you this kite," said Mira.', "memory"),
        (START + "Mira wanted to mend the gate. ", '"My red saw is at the mill," said Mira.', "place"),
        (START + "Mira wanted to mend the gate. ", '"My blue boat is by the lake," said Mira.', "thing"),
        (START + "Mira went to the hill. ", '"I will help you, Mira," said Tom.', "place"),
        (START + "Suddenly it began to rain. ", "Then a storm began.", "order"),
        (START + "Suddenly it began to rain. ", "Mira dropped the kite and ran to the hill.", "possession"),
        ("One day, Tom was at the mill. ", "His red kite was still at the mill.", "place"),
        (START, '"What a lovely kite!" said Tom.', "memory"),
        (
            START + SWAPPING + '"Let us swap," said Mira. ',
            "So Tom gave the kite to Mira, and Mira gave the drum to Tom.",
            "memory",
        ),
        (START + "It was the birthday of Ben. ", "A blue drum was lying on the ground.", "place"),
    ],
)
def test_broken_need(before, sentence, category):
    problems = check_story(before + sentence).problems
    assert [p.category for p in problems if p.sentence == sentence][:1] == [category]


def test_a_debt_is_left_open():
    story = (
        START + '"May I borrow your kite?" asked Mira. "Yes, but please bring it back," said Tom. He lent it to her. '
        "It was the birthday of Ben. Mira took the kite to the hill. "
        "Mira never forgot that Tom had given her the red kite."
    )
    assert not check_story(story).ok
