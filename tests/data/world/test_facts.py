"""Facts: the answer stands in the statement, and the other person has another one."""

from itertools import islice

from linnet.data.world import rows
from linnet.data.world.combinations import generator
from linnet.data.world.facts import row, text, truth


def test_rows_have_one_right_answer():
    for i, found in enumerate(islice(rows("facts", "test", 1), 200)):
        assert found.keys() == {"statement", "question", "answer"}
        assert found["statement"].count(found["answer"]) >= 1
        people = truth(generator(1, "facts", "test", i), "test")
        asked = [fact for person in people for fact in person if fact.name in found["question"]]
        others = [fact for person in people for fact in person if fact.name not in found["question"]]
        assert found["answer"] in [fact.value for fact in asked]
        assert found["answer"] not in [fact.value for fact in others]


def test_no_fact_of_the_test_is_told_in_train():
    told = {
        split: {fact for i in range(1500) for facts in truth(generator(0, "facts", split, i), split) for fact in facts}
        for split in ("train", "test")
    }
    assert not told["train"] & told["test"]
    words = {split: {word for fact in facts for word in " ".join(fact).split()} for split, facts in told.items()}
    assert words["test"] <= words["train"]


def test_text():
    found = row(generator(0, "facts", "train", 0), "train", 0)
    assert text(found).endswith(f"\nQuestion: {found['question']}\nAnswer: {found['answer']}")
