"""A bag of words: logistic regression on which words a text has, the least that a classifier of text must beat."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linnet.core.errors import BadInput

WORD = re.compile(r"\w+|[^\w\s]")
MOST_WORDS = 20_000  # of the vocabulary, the most common ones
ROUNDS = 200  # of training, over all texts at once


def words(text: str) -> list[str]:
    """Return words and marks in lower case."""
    return WORD.findall(text.lower())


@dataclass(frozen=True)
class Bags:
    """Texts as flat lists of (which text, which word), each word of a text once."""

    texts: np.ndarray
    words: np.ndarray
    count: int

    def scores(self, weights: np.ndarray) -> np.ndarray:
        """Return the sum [texts, C] of the weights [V, C] of each text's words, over the root of how many it has."""
        sizes = np.maximum(np.bincount(self.texts, minlength=self.count), 1) ** 0.5
        columns = [np.bincount(self.texts, column[self.words], minlength=self.count) for column in weights.T]
        return np.stack(columns, axis=1) / sizes[:, None]

    def back(self, errors: np.ndarray, vocabulary: int) -> np.ndarray:
        """Return the gradient [V, C] of the weights from that of the scores [texts, C]."""
        sizes = np.maximum(np.bincount(self.texts, minlength=self.count), 1) ** 0.5
        errors = errors / sizes[:, None]
        return np.stack([np.bincount(self.words, column[self.texts], minlength=vocabulary) for column in errors.T], 1)


class BagOfWords:
    """Softmax regression over the words of a text, with a bias for each class."""

    def __init__(self, vocabulary: dict[str, int], weights: np.ndarray, bias: np.ndarray):
        """Use `train`."""
        self.vocabulary, self.weights, self.bias = vocabulary, weights, bias

    @classmethod
    def train(cls, texts: Sequence[str], classes: Sequence[int], decay: float = 1.0) -> "BagOfWords":
        """Fit weights [V, C] and bias [C] by full-batch AdaGrad (Duchi et al. 2011); `decay` holds the weights small.

        The loss is the summed cross-entropy + decay/2 of the squared weights, which has one minimum: no seed is
        needed. Raises BadInput without texts.
        """
        if not texts:
            raise BadInput("a bag of words needs texts to learn from")
        common = Counter(word for text in texts for word in dict.fromkeys(words(text))).most_common(MOST_WORDS)
        model = cls({word: place for place, (word, _) in enumerate(common)}, np.zeros(0), np.zeros(0))
        bags, count = model.bags(texts), max(classes) + 1
        model.weights, model.bias = np.zeros((len(common), count)), np.zeros(count)
        wanted = np.eye(count)[np.asarray(classes)]
        seen, seen_bias = np.full(model.weights.shape, 1e-8), np.full(count, 1e-8)
        for _ in range(ROUNDS):
            errors = _softmax(bags.scores(model.weights) + model.bias) - wanted
            gradient, of_bias = bags.back(errors, len(common)) + decay * model.weights, errors.sum(0)
            seen += gradient**2
            seen_bias += of_bias**2
            model.weights = model.weights - 0.5 * gradient / np.sqrt(seen)
            model.bias = model.bias - 0.5 * of_bias / np.sqrt(seen_bias)
        return model

    def bags(self, texts: Sequence[str]) -> Bags:
        """Return texts as bags of the words that were there in training."""
        pairs = [
            (number, self.vocabulary[word])
            for number, text in enumerate(texts)
            for word in dict.fromkeys(words(text))
            if word in self.vocabulary
        ]
        flat = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return Bags(flat[:, 0], flat[:, 1], len(texts))

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Return the probability [texts, C] of each class."""
        return _softmax(self.bags(texts).scores(self.weights) + self.bias)


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
