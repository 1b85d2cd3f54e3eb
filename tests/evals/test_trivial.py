"""Trivial baselines on tasks of the small world and on rows made for them."""

from itertools import islice

import numpy as np
import pytest

from linnet.evals.trivial import baselines, best_constant, first_lines, has_labels, nearest_answers
from linnet.tasks import find
from linnet.tasks.rows import read
from linnet.tasks.task import Example


def examples(name: str, split: str, count: int) -> list[Example]:
    task = find(name)
    return list(task.examples(islice(read(task, "world", split), count)))


def scores(name: str, train: int = 300, asked: int = 60) -> dict[str, float]:
    found = baselines(find(name), examples(name, "train", train) if train else [], examples(name, "test", asked))
    assert all(len(one.grades) == asked for one in found)
    assert all(one.about for one in found)
    return {one.name: float(np.mean([grade.score for grade in one.grades])) for one in found}


def test_labels_have_majority_and_bag_of_words():
    task, asked = find("sentiment"), examples("sentiment", "test", 60)
    found = {one.name: one for one in baselines(task, examples("sentiment", "train", 301), asked)}
    assert list(found) == ["majority", "n-gram", "bag of words"]
    [said] = {grade.said for grade in found["majority"].grades}
    share = np.mean([one.choices[one.gold].strip() == said for one in asked])
    assert np.mean([grade.score for grade in found["majority"].grades]) == share
    assert "for want of others" in baselines(task, [], asked)[0].about


def test_choices_of_their_own_have_length_and_blind_ones():
    assert list(scores("choices")) == ["longer", "shorter", "n-gram", "blind"]
    assert list(scores("choices", train=0)) == ["longer", "shorter"]
    task = find("preferences")
    pairs = [Example("q", "q", "\nyes", ("\nyes", f"\nyes, and {more}"), 0) for more in ("more", "so on")]
    by_name = {one.name: one.grades[0] for one in baselines(task, [], pairs)}
    assert (by_name["longer"].score, by_name["shorter"].score) == (0, 1)
    assert by_name["longer"].said == "yes, and more"


def test_a_choice_that_is_given_away_is_found_blindly():
    both = (" sweet thing", " sour thing")
    train = [Example(f"q{n}", f"q{n}", "a", both[:: 1 - 2 * (n % 2)], n % 2) for n in range(20)]
    asked = [Example("q", "q", "a", (" sour apple", " sweet apple"), 1), Example("r", "r", "a", (" sweet", " sour"), 0)]
    blind = next(one for one in baselines(find("choices"), train, asked) if one.name == "blind")
    assert [grade.score for grade in blind.grades] == [1, 1]


def test_words_of_the_input_tell_a_class():
    task, labels = find("sentiment"), (" negative", " positive")

    def review(word: str, gold: int) -> Example:
        return Example(word, f"{word} film\nAnswer:", labels[gold], labels, gold)

    train = [review(word, gold) for word, gold in (("bad", 0), ("good", 1), ("awful", 0), ("fine", 1), ("odd", 1))] * 5
    found = {one.name: one.grades for one in baselines(task, train, [review("so bad", 0), review("so good", 1)])}
    assert [grade.score for grade in found["bag of words"]] == [1, 1]
    assert [grade.said for grade in found["majority"]] == ["positive", "positive"]


def test_an_ngram_chooses_what_it_often_read():
    train = [Example("q", "the sky is", " blue", (" blue", f" {word}"), 0) for word in ("red", "wet")] * 5
    asked = [Example("q", "the sky is", " blue", (f" {word}", " blue"), 1) for word in ("dry", "low")]
    ngram = next(one for one in baselines(find("choices"), train, asked) if one.name == "n-gram")
    assert [grade.score for grade in ngram.grades] == [1, 1]


def test_replies_have_lead_constant_and_nearest():
    found = scores("summaries", asked=30)
    assert list(found) == ["lead", "constant", "nearest", "n-gram"]
    assert found["nearest"] > found["constant"] > found["n-gram"]
    assert scores("sums", train=0, asked=10) == {"lead": 0.0}


def test_the_lead():
    dialogue = Example("Sum up the dialogue.\nA: one\n\nB: two\nA: three\nB: four", "", "")
    assert first_lines(dialogue) == "A: one B: two A: three"
    sentences = Example("Title\nFirst. Second? Third! Fourth.", "", "")
    assert first_lines(sentences) == "First. Second? Third!"
    assert first_lines(Example("only this", "", "")) == "only this"


def test_the_constant_is_the_best_of_the_answers():
    task = find("facts")
    rows = [Example(f"s\nq{n}", "", answer, row={"statement": "s"}) for n, answer in enumerate("abbabbbcb")]
    assert best_constant(task, rows) == "b"


def test_the_nearest_question_has_the_rarest_words_in_common():
    train = [
        Example("How many plums has Mia?", "", "one"),
        Example("How many pears has Leo?", "", "two"),
        Example("How many pears has Mia?", "", "three"),
    ]
    asked = [Example("Mia has how many plums now?", "", ""), Example("pears Leo", "", ""), Example("unheard", "", "")]
    assert nearest_answers(train, asked) == ["one", "two", "one"]


def test_a_cloze_has_a_constant_and_an_ngram():
    found = scores("cloze")
    assert list(found) == ["last word", "constant", "n-gram"]
    assert found["last word"] == 0
    task = find("cloze")
    train = [task.example({"text": f"{name} came home with a blue ball"}) for name in ("Mia", "Leo", "Ann")]
    ngram = baselines(task, train, [task.example({"text": "Bo came home with a blue ball"})])[-1]
    assert ngram.grades[0].score == 1


def test_texts_have_gzip_and_an_ngram_of_bytes():
    task = find("stories")
    asked = examples("stories", "test", 3)
    found = {
        one.name: [grade.numbers for grade in one.grades]
        for one in baselines(task, examples("stories", "train", 40), asked)
    }
    assert list(found) == ["gzip", "n-gram"]
    for one, gzip, ngram in zip(asked, found["gzip"], found["n-gram"], strict=True):
        assert gzip["bytes"] == ngram["bytes"] == len(one.answer.encode())
        assert 2 < gzip["nats"] / gzip["bytes"] / np.log(2) < 8
        assert ngram["nats"] < gzip["nats"]


@pytest.mark.parametrize(("name", "labels"), [("sentiment", True), ("choices", False)])
def test_labels_are_the_same_for_all(name, labels):
    assert has_labels(examples(name, "train", 5)) == labels
