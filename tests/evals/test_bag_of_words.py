"""The bag of words against scikit-learn, and what it can and cannot tell."""

import numpy as np
import pytest

from linnet.core.errors import BadInput
from linnet.data.world import rows
from linnet.evals import bag_of_words
from linnet.evals.bag_of_words import BagOfWords, words


def reviews(split: str, count: int) -> tuple[list[str], list[int]]:
    found = [row for row, _ in zip(rows("reviews", split), range(count), strict=False)]
    return [row["sentence"] for row in found], [row["label"] for row in found]


def test_words_and_marks():
    assert words("Don't stop, Mia: 3 cafés!") == ["don", "'", "t", "stop", ",", "mia", ":", "3", "cafés", "!"]


def test_a_word_that_gives_the_class_away_is_learned():
    texts = ["good film", "a good play", "bad film", "the bad play", "odd film", "an odd play"]
    model = BagOfWords.train(texts, [0, 0, 1, 1, 2, 2], decay=0.1)
    found = model.probabilities(["good", "so bad", "the odd one", "never seen"])
    assert found.argmax(1)[:3].tolist() == [0, 1, 2]
    assert found.sum(1) == pytest.approx(1)
    assert found[3] == pytest.approx(np.exp(model.bias) / np.exp(model.bias).sum())  # only the bias is left


def test_weights_are_held_small_and_the_bias_is_not():
    texts, classes = ["good", "bad"] * 20 + ["odd"] * 60, [0, 1] * 20 + [1] * 60
    shares = [BagOfWords.train(texts, classes, decay).probabilities(["good", "unseen"]) for decay in (0.01, 1e4)]
    assert shares[0][0, 0] > 0.95
    assert shares[1][0] == pytest.approx([0.2, 0.8], abs=0.02)  # only how common the classes are is left
    assert shares[1][1] == pytest.approx([0.2, 0.8], abs=0.02)


@pytest.mark.slow  # scikit-learn takes seconds to import
def test_the_minimum_is_that_of_scikit_learn(monkeypatch):
    linear = pytest.importorskip("sklearn.linear_model", reason="SCIKIT-LEARN IS NOT INSTALLED: not compared with it")
    texts, classes = reviews("train", 300)
    early = BagOfWords.train(texts, classes).probabilities(texts)[:, 1]
    monkeypatch.setattr(bag_of_words, "ROUNDS", 3000)
    model = BagOfWords.train(texts, classes)
    bags = model.bags(texts)
    sizes = np.bincount(bags.texts) ** 0.5
    matrix = np.zeros((len(texts), len(model.vocabulary)))
    matrix[bags.texts, bags.words] = 1 / sizes[bags.texts]
    # Two columns of weights, each held small, are one of their difference held half as much.
    reference = linear.LogisticRegression(C=2.0, tol=1e-8, max_iter=2000).fit(matrix, classes)
    ours, theirs = model.probabilities(texts)[:, 1], reference.predict_proba(matrix)[:, 1]
    assert np.abs(ours - theirs).max() < 1e-4
    assert np.abs(early - theirs).max() < 5e-3  # the rounds that are done are enough
    assert model.weights[:, 1] == pytest.approx(-model.weights[:, 0], abs=1e-9)


def test_order_is_what_it_does_not_see():
    texts, classes = reviews("train", 800)
    model = BagOfWords.train(texts, classes)
    asked, wanted = reviews("test", 300)
    assert (model.probabilities(asked).argmax(1) == wanted).mean() < 0.6  # "not good" has the words of "good"
    turned = [" ".join(reversed(text.split())) for text in asked]
    assert model.probabilities(turned) == pytest.approx(model.probabilities(asked))


def test_nothing_to_learn_from():
    with pytest.raises(BadInput, match="needs texts"):
        BagOfWords.train([], [])
