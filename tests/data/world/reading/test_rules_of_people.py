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
    ],
)
def test_broken_need(before, sentence, category):
    found = [p.category for p in check_story(before + sentence).problems if p.sentence == sentence]
    assert found[:1] == [category]
    assert not [p for p in check_story(before).problems if p.category != "unfinished"]
