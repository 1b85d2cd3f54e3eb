"""The village's facts: each in one split, one right answer to each question."""

import random
from itertools import combinations

import pytest

from linnet.data.world.combinations import SPLITS
from linnet.data.world.lexicon import NAMES
from linnet.data.world.village import RELATIONS, Fact, draw_people, values_of


def test_a_fact_is_true_in_one_split_only():
    for relation in RELATIONS:
        for name in NAMES[:5]:
            parts = [values_of(split, name, relation) for split in SPLITS]
            everything = [value for part in parts for value in part]
            assert len(everything) == len(set(everything)) == len(set(RELATIONS[relation].values) - {name})


@pytest.mark.parametrize("split", SPLITS)
def test_each_split_has_people_for_any_six_relations(split):
    for relations in combinations(RELATIONS, 6):
        able = [name for name in NAMES if all(values_of(split, name, relation) for relation in relations)]
        assert len(able) >= 5


def test_people_do_not_share_values():
    people = draw_people(random.Random(0), "train", 3, ("job", "home", "food"))
    facts = [fact for person in people for fact in person]
    assert len({fact.value for fact in facts}) == 9
    assert all(fact.split == "train" for fact in facts)


def test_statements_and_questions():
    fact = Fact("Mira", "animal", "a grey cat")
    statements = {fact.statement(random.Random(seed)) for seed in range(20)}
    assert statements == {"Mira has a grey cat.", "Mira keeps a grey cat."}
    assert {fact.statement(random.Random(seed), pronoun=True) for seed in range(20)} == {
        "She has a grey cat.",
        "She keeps a grey cat.",
    }
    questions = {Fact("Tom", "home", "at the mill").question(random.Random(seed)) for seed in range(20)}
    assert questions == {"Where does Tom live?", "Where is Tom's house?"}
