"""The quality of a judge: known scores give known numbers, resampled by problem; simpler judges see what they may."""

import numpy as np
import pytest
import torch

from linnet.adapt.heads import with_head
from linnet.artifacts import save_model
from linnet.batches.judged import Judged, answer_ids
from linnet.core.errors import BadInput
from linnet.core.files import json_text
from linnet.evals.verifying import (
    bag_of_words,
    baselines,
    calibration,
    measure,
    open_verifier,
    places_by_problem,
    worst,
)
from linnet.infer.score import score
from linnet.metrics import auroc
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import network
from tests.judged_answers import judged_answers


def made(problems: int, answers: int, noise: float, seed: int = 0) -> tuple[list[Judged], list[float]]:
    """Return judged answers of problems that are hard or easy, and scores that know a part of the truth."""
    dice = np.random.default_rng(seed)
    judged, scores = [], []
    for number in range(problems):
        ease = dice.random()
        for answer in range(answers):
            right = bool(dice.random() < ease)
            judged.append(Judged(str(number), str(answer), right))
            scores.append(float(1 / (1 + np.exp(-(2 * right - 1 + noise * dice.normal())))))
    return judged, scores


def test_numbers_of_a_judge_that_is_known():
    judged = [Judged("a", "1", True), Judged("a", "2", False), Judged("b", "1", True), Judged("b", "2", False)]
    found = measure(judged, [0.9, 0.2, 0.4, 0.3])
    assert (found.auroc, found.auroc_within, found.share_right) == (1.0, 1.0, 0.5)
    assert (found.answers, found.problems) == (4, 2)
    assert found.accuracy == 0.75
    assert found.brier == pytest.approx((0.01 + 0.04 + 0.36 + 0.09) / 4)
    assert found.calibration_error == pytest.approx((0.1 + 0.2 + 0.6 + 0.3) / 4)
    swapped = measure(judged, [0.1, 0.8, 0.6, 0.7])
    assert swapped.auroc == swapped.auroc_within == 0.0
    easy_or_hard = measure(
        [Judged("a", "1", True), Judged("a", "2", True), Judged("b", "1", False), Judged("b", "2", True)],
        [0.9, 0.8, 0.3, 0.2],
    )
    assert easy_or_hard.auroc == pytest.approx(2 / 3)
    assert easy_or_hard.auroc_within == 0.0  # it knows the problems, and not which answer is right
    assert found.numbers()["auroc"] == 1.0


@pytest.mark.slow
def test_the_interval_is_over_problems_not_answers():
    judged, scores = made(60, 8, noise=1.5)
    found = measure(judged, scores)
    low, high = found.interval
    assert low < found.auroc < high
    copies = measure(judged * 4, scores * 4)  # the same answers again are no new problems
    assert copies.interval[1] - copies.interval[0] == pytest.approx(high - low, rel=0.15)
    more, more_scores = made(600, 8, noise=1.5, seed=1)
    narrow = measure(more, more_scores).interval
    assert narrow[1] - narrow[0] < 0.5 * (high - low)


def test_places_by_problem():
    judged = [Judged(problem, str(number), True) for number, problem in enumerate("abacb")]
    assert [places.tolist() for places in places_by_problem(judged)] == [[0, 2], [1, 4], [3]]


def test_a_reliability_picture_of_honest_scores_lies_on_the_line():
    dice = np.random.default_rng(3)
    scores = dice.random(20_000)
    judged = [Judged("a", str(n), bool(dice.random() < score)) for n, score in enumerate(scores)]
    bins = calibration(judged, scores.tolist())
    assert len(bins) == 10
    assert all(abs(each.promised - each.came) < 0.05 for each in bins)


def test_an_answer_alone_tells_nothing_where_it_depends_on_the_problem():
    dice = np.random.default_rng(5)
    judged = []
    for _ in range(900):
        a, b = dice.integers(0, 2, 2)
        judged.append(Judged(f"say {'left' if a else 'right'}", f"I say {'left' if b else 'right'}", bool(a == b)))
    train, test = judged[:600], judged[600:]
    labels = [one.right for one in test]
    assert auroc(labels, bag_of_words(train, test, with_problem=False)) == pytest.approx(0.5, abs=0.08)
    given = [Judged("a", f"{'fine' if one.right else 'poor'} answer", one.right) for one in judged]
    assert auroc(labels, bag_of_words(given[:600], given[600:], with_problem=False)) == 1.0


def test_baselines_with_the_parents_likelihood():
    judged = judged_answers(12)
    tokenizer = Tokenizer.train_bpe([f"{one.problem}\n{one.answer}\n" for one in judged], 300)
    parent = network(vocab_size=tokenizer.vocab_size, context_length=300)
    found = baselines(judged, judged, parent, tokenizer)
    assert list(found) == ["answer only", "bag of words", "parent's likelihood"]
    prompts, answers = zip(*(answer_ids(tokenizer, one.problem, one.answer) for one in judged), strict=True)
    means = [np.exp(one.total / len(one.logprobs)) for one in score(parent, prompts, answers)]
    assert found["parent's likelihood"].auroc == auroc([one.right for one in judged], means)


def test_the_worst_mistakes_are_shown_first():
    judged = [Judged("p", str(n), n % 2 == 0) for n in range(6)]
    shown = worst(judged, [0.9, 0.8, 0.1, 0.2, 0.5, 0.4], most=1)
    assert shown == ["wrong, score 0.800\np\n1", "right, score 0.100\np\n2"]


def test_a_verifier_is_opened_at_the_odds_of_its_answers(tmp_path):
    tokenizer = Tokenizer.train_bpe(["what is it"], 280)
    model = with_head(network(vocab_size=tokenizer.vocab_size, context_length=64), 1).eval()
    save_model(tmp_path, model, tokenizer)
    even = open_verifier(tmp_path).score("what", "it")
    (tmp_path / "result.json").write_text(json_text({"numbers": {"share_right": 0.9}}))
    often = open_verifier(tmp_path).score("what", "it")
    assert often == pytest.approx(9 * even / (9 * even + 1 - even))
    (tmp_path / "result.json").write_text(json_text({"numbers": {"share_right": "many"}}))
    assert open_verifier(tmp_path).score("what", "it") == even
    save_model(tmp_path / "lm", network(vocab_size=tokenizer.vocab_size), tokenizer)
    with pytest.raises(BadInput, match="not a verifier"):
        open_verifier(tmp_path / "lm", torch.device("cpu"))
