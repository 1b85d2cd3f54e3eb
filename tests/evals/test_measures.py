"""Measures of graded rows against numbers by hand; their intervals, parts and comparisons."""

import math

import numpy as np
import pytest

from linnet.evals.measures import Measure, measures
from linnet.metrics import bleu, bootstrap_interval, compare_paired, pass_at_n, wilson_interval
from linnet.tasks import find
from linnet.tasks.task import Example, Grade


def by_name(found: list[Measure]) -> dict[str, Measure]:
    assert len({one.name for one in found}) == len(found)
    return {one.name: one for one in found}


def labelled(gold: list[int]) -> list[Example]:
    return [Example("q", "q", " a", (" no", " yes"), place) for place in gold]


def test_labels_have_accuracy_and_macro_f1():
    said = ["yes", "no", "no", ""]
    right = ["yes", "no", "yes", "no"]
    grades = [Grade(float(a == b), a, numbers={"by_length": 1.0}) for a, b in zip(said, right, strict=True)]
    found = by_name(measures(find("sentiment"), labelled([1, 0, 1, 0]), grades))
    assert list(found) == ["accuracy", "accuracy by length", "macro F1"]
    assert found["accuracy"].value == 0.5
    assert found["accuracy by length"].value == 1
    assert found["macro F1"].value == pytest.approx((0.5 + 2 / 3 + 0) / 3)  # no label is a class too
    assert found["accuracy"].interval() == wilson_interval(2, 4)
    assert found["macro F1"].kind.startswith("bootstrap of the whole")


def test_choices_of_their_own_have_no_classes():
    examples = [Example("q", "q", " a", (" a", f" b{n}"), 0) for n in range(3)]
    found = measures(find("choices"), examples, [Grade(1.0, "a", numbers={"by_length": 0.0})] * 3)
    assert [one.name for one in found] == ["accuracy", "accuracy by length"]


def test_summaries_have_bleu_of_all_rows():
    task = find("summaries")
    examples = [Example("q", "q", f" Mia and Leo meet at the {place} at ten.") for place in ("mill", "park", "barn")]
    replies = ["Mia and Leo meet at the mill at ten.", "Leo meets Mia.", ""]
    grades = [task.grade(example, reply) for example, reply in zip(examples, replies, strict=True)]
    found = by_name(measures(task, examples, grades, replies))
    assert list(found) == ["ROUGE-L", "ROUGE-1", "ROUGE-2", "BLEU", "distinct-2", "repetition-4"]
    assert found["BLEU"].value == pytest.approx(bleu([one.answer for one in examples], replies))
    assert found["ROUGE-L"].value == pytest.approx(np.mean([grade.score for grade in grades]))
    low, high = found["BLEU"].interval()
    assert low <= found["BLEU"].value <= high
    assert not found["repetition-4"].higher_is_better


def test_a_rouge_of_zero_is_no_share():
    nothing = Measure.mean("ROUGE-2", [0.0] * 30)
    assert (nothing.kind, nothing.interval()) == ("bootstrap over rows", (0.0, 0.0))
    assert Measure.mean("exact match", [0.0] * 30).interval() == wilson_interval(0, 30)
    values = np.random.default_rng(0).random(40)
    assert Measure.mean("exact match", values).interval() == bootstrap_interval(values)


def test_texts_are_divided_as_a_whole():
    sizes = ((20.0, 5.0, 25.0), (300.0, 50.0, 275.0))
    grades = [Grade(0.0, "", numbers=dict(zip(("nats", "words", "bytes"), one, strict=True))) for one in sizes]
    found = by_name(measures(find("stories"), [], grades))
    assert found["bits per byte"].value == pytest.approx(320 / 300 / math.log(2))
    assert found["byte perplexity"].value == pytest.approx(2 ** (320 / 300 / math.log(2)))
    assert found["word perplexity"].value == pytest.approx(math.exp(320 / 55))
    assert not any(one.higher_is_better for one in found.values())


def test_a_cloze_has_the_perplexity_of_its_word():
    grades = [Grade(1.0, "x", numbers={"nats": 1.0}), Grade(0.0, "", numbers={"nats": 3.0})]
    found = by_name(measures(find("cloze"), [], grades))
    assert found["perplexity"].value == pytest.approx(math.exp(2))
    without = [Grade(1.0, "x"), Grade(0.0, "y")]
    assert [one.name for one in measures(find("cloze"), [], without)] == ["accuracy"]


def test_several_samples_give_pass_at_n():
    right = np.array([[True, False, False], [False, False, False]])
    found = by_name(measures(find("sums"), [], [Grade(1 / 3, "1"), Grade(0.0, "2")], ["", ""], right))
    assert list(found) == ["exact match", "pass@1", "pass@2", "pass@3"]
    assert found["pass@2"].value == pytest.approx((pass_at_n(3, 1, 2) + 0) / 2)
    assert found["exact match"].value == pytest.approx(found["pass@1"].value)
    assert len(measures(find("sums"), [], [Grade(1.0, "1")], [""], right[:1, :1])) == 1


def test_a_part_is_the_measure_of_its_rows():
    generator = np.random.default_rng(1)
    grades = [Grade(0.0, "", numbers={"nats": n, "words": 1.0, "bytes": b}) for n, b in generator.random((20, 2)) + 1]
    places = np.array([3, 4, 11])
    whole, part = measures(find("stories"), [], grades), measures(find("stories"), [], [grades[at] for at in places])
    assert whole[0].part(places).value == pytest.approx(part[0].value)
    assert whole[0].part(places).interval() == pytest.approx(part[0].interval())
    mean = Measure.mean("exact match", generator.integers(0, 2, 20))
    assert mean.part(places).interval() == wilson_interval(int(mean.scores[places].sum()), 3)


def test_comparisons_are_in_pairs():
    generator = np.random.default_rng(2)
    theirs = (generator.random(80) < 0.4).astype(float)
    ours = np.maximum(theirs, generator.random(80) < 0.4)
    found = Measure.mean("exact match", ours).against(Measure.mean("exact match", theirs))
    assert found == compare_paired(ours, theirs, higher_is_better=True)
    costs = [Grade(0.0, "", numbers={"nats": n, "words": 1.0, "bytes": 1.0}) for n in generator.random(40) + 1]
    dearer = [Grade(0.0, "", numbers={**one.numbers, "nats": one.numbers["nats"] + 0.1}) for one in costs]
    first, second = (measures(find("stories"), [], some)[0] for some in (costs, dearer))
    assert second.against(first).verdict == "worse"  # more bits are worse
    assert first.against(second).verdict == "better"
    assert first.against(first).verdict == "not shown"
