"""Rules among people and animals: courage, baking, hide and seek, sharing; broken one need at a time."""

import pytest

from linnet.data.world.checker import check_story

TWO = "One day, Tom and Mira were at the mill. "
DOG = "One day, Tom was at the mill. A black dog lived on the hill. Tom was afraid of it. Just then, Mira came along. "
SEEK = TWO + '"Let us play hide and seek," said Tom. Mira counted to ten. Tom hid under a table. '
BAKE = (
    "One day, Tom was at the mill. He wanted to bake a cake. But he had no milk. He went to the farm. "
    "There he met Mira. "
)
PLUMS = "One day, Tom was at the mill. He had five plums. Just then, Mira came along. "


@pytest.mark.parametrize(
    ("before", "sentence", "category"),
    [
        (TWO, "A red kite lived on the hill.", "thing"),
        (DOG, "He wanted to go to the lake, but he did not dare.", "pronoun"),
        (DOG, "So Tom did not dare to go to the lake.", "place"),
        (DOG, '"I am afraid of the dog," said Mira.', "mood"),
        (DOG, '"Do not be afraid, Mira," said Tom.', "mood"),
        (DOG, "The dog looked at Tom.", "place"),
        (DOG, "Mira gave the dog some bread.", "place"),
        (DOG + "They went to the hill together. ", "At last Tom touched the dog too.", "memory"),
        (DOG, "The dog was very gentle.", "memory"),
        (TWO, "But Tom had no milk.", "order"),
        (BAKE, '"Do you have some salt, Mira?" asked Tom.', "thing"),
        (BAKE, '"I need some milk for my pie," said Tom.', "thing"),
        (BAKE, "Mira gave him a red jug full of milk.", "memory"),
        (BAKE, "Tom baked the cake with the milk.", "thing"),
        (BAKE, '"This is the best cake of all," said Mira.', "thing"),
        (TWO, "Mira counted to ten.", "memory"),
        (SEEK, "Tom counted to twenty.", "order"),
        (SEEK, "Mira hid under a bench.", "order"),
        (SEEK, "Mira looked under a table, but nobody was there.", "place"),
        (SEEK, '"You are under a bench, Tom!" cried Mira.', "place"),
        (SEEK, '"Now it is your turn, Tom," said Mira.', "memory"),
        (PLUMS, "Tom gave two plums to Mira.", "order"),
        (PLUMS + "She was hungry. ", "Tom gave two pears to her.", "thing"),
        (PLUMS, "Now Tom had four plums left.", "number"),
        (PLUMS, "Tom ate one plum.", "order"),
        (TWO + "Tom had a red kite. ", "Mira was afraid of the kite.", "thing"),
        (DOG + "They went to the hill together. ", "So Tom did not dare to go to the hill.", "place"),
        (DOG + "Mira was afraid of the dog. ", '"Do not be afraid, Tom," said Mira.', "mood"),
        (DOG + "Mira went to the hill. ", '"Do not be afraid, Tom," said Mira.', "place"),
        (DOG + "Mira went to the hill. ", "Tom hid behind Mira.", "place"),
        (DOG + "Mira was afraid of it. They went to the hill together. ", "Mira gave the dog some bread.", "mood"),
        (BAKE + "Mira went to the lake. ", '"Do you have some milk, Mira?" asked Tom.', "place"),
        (
            BAKE + '"I need some milk for my cake," said Tom. Mira went to the lake. ',
            "Mira gave Tom a red jug full of milk.",
            "place",
        ),
        ("One day, Tom was at the mill. ", '"Let us play hide and seek," said Tom.', "place"),
        (SEEK, '"Shall we play hide and seek?" asked Mira.', "order"),
        (TWO + '"Let us play hide and seek," said Tom. Mira went to the lake. ', "Mira counted to ten.", "place"),
        (
            TWO + '"Let us play hide and seek," said Tom. Mira counted to ten. Tom went to the lake. ',
            "Tom hid under a table.",
            "place",
        ),
        (
            TWO + '"Let us play hide and seek," said Tom. Mira counted to ten. Tom hid under a table. ',
            "Then Tom looked under a table and found Mira.",
            "name",
        ),
        (SEEK + '"I can see you under a table, Tom!" cried Mira. ', '"Now it is your turn, Mira," said Tom.', "memory"),
        (PLUMS, "He had picked six plums.", "pronoun"),
        (PLUMS, "Tom had picked six plums.", "thing"),
        (PLUMS + "Mira was hungry. Mira went to the lake. ", "Tom gave two plums to Mira.", "place"),
        (BAKE + "Mira went to the lake. There Mira met Ben. ", '"Do you have some milk, Ben?" asked Tom.', "place"),
        (SEEK + "Just then, Ben came along. ", '"You are under a table, Ben!" cried Mira.', "name"),
        (
            SEEK + 'Just then, Ben came along. "You are under a table, Tom!" cried Mira. ',
            '"Now it is your turn, Tom," said Ben.',
            "name",
        ),
    ],
)
def test_broken_need(before, sentence, category):
    found = [p.category for p in check_story(before + sentence).problems if p.sentence == sentence]
    assert found[:1] == [category]
    assert not [p for p in check_story(before).problems if p.category != "unfinished"]
