"""The teller: pronouns only where they are clear, truth kept up to date, nothing said twice."""

import random

from linnet.data.world.telling.teller import Many, Teller, Thing

KITE = Thing("kite", "red")


def told(seed: int, *events: tuple[str, dict]) -> Teller:
    teller = Teller(random.Random(seed))
    for event, values in events:
        teller.say(event, **values)
    return teller


def test_a_pronoun_is_used_only_where_one_person_fits():
    for seed in range(60):
        teller = told(
            seed,
            ("open two", {"A": "Mira", "B": "Anna", "P": "garden"}),
            ("own", {"A": "Anna", "T": KITE}),
            ("give", {"A": "Anna", "B": "Mira", "T": KITE}),
        )
        assert teller.sentences[1].startswith("Anna")  # two girls in the sentence before
        assert "She" not in teller.sentences[2]  # the other girl is in the same sentence


def test_pronouns_are_used_at_all():
    texts = [told(s, ("open", {"A": "Tom", "P": "mill"}), ("go", {"A": "Tom", "P": "hill"})).text() for s in range(60)]
    assert any(" he " in text or "He " in text for text in texts)
    assert not any("she" in text.lower() for text in texts)


def test_it_is_said_only_where_one_thing_fits():
    drum = Thing("drum", "blue")
    for seed in range(60):
        teller = told(
            seed,
            ("open two", {"A": "Mira", "B": "Tom", "P": "garden"}),
            ("own", {"A": "Mira", "T": KITE}),
            ("swap", {"A": "Mira", "B": "Tom", "T": KITE, "U": drum}),
        )
        assert " it " not in teller.sentences[2].replace(".", " ").replace(",", " ")


def test_truth_follows_the_events():
    teller = told(
        0,
        ("open", {"A": "Tom", "P": "mill"}),
        ("own", {"A": "Tom", "T": KITE}),
        ("come", {"A": "Tom", "B": "Mira"}),
        ("give", {"A": "Tom", "B": "Mira", "T": KITE}),
        ("carry", {"A": "Mira", "T": KITE, "P": "hill"}),
        ("leave", {"A": "Mira", "T": KITE, "P": "hill"}),
    )
    assert teller.where == {"Tom": "mill", "Mira": "hill"}
    assert teller.holder == {KITE: None}
    assert teller.together() == ("Mira",)


def test_nothing_is_said_twice():
    teller = Teller(random.Random(0))
    for _ in range(3):
        teller.say("late")
    assert len(set(teller.sentences)) == 3


def test_sentences_begin_with_a_capital_and_count_right():
    teller = told(1, ("open", {"A": "Tom", "P": "mill"}), ("have some", {"A": "Tom", "many": Many(1, "pear")}))
    assert "one pear" in teller.text()
    assert all(sentence[0].isupper() for sentence in teller.sentences)


def test_pick_leaves_out():
    teller = Teller(random.Random(0))
    assert {teller.pick(("a", "b", "c"), "a", "c") for _ in range(20)} == {"b"}
