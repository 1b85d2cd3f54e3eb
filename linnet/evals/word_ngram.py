"""An n-gram model of the words of texts, for baselines without a tokenizer: which choice is likely, what comes next."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from linnet.core.errors import BadInput
from linnet.evals.ngram import NgramModel

PIECE = re.compile(r"\n| ?\w+| ?[^\w\s]|\s")  # a word or mark with the space before it: joined they are the text
MOST_PIECES = 30_000  # of the vocabulary, the most common ones
END, UNKNOWN = 0, 1


class WordNgram:
    """An n-gram model whose tokens are words and marks; texts end, and words that were never seen are one word."""

    def __init__(self, texts: Sequence[str], order: int = 4):
        """Count texts; raises BadInput when there are none."""
        pieces = [PIECE.findall(text) for text in texts]
        common = Counter(piece for text in pieces for piece in text).most_common(MOST_PIECES)
        if not common:
            raise BadInput("an n-gram model needs texts to learn from")
        self.pieces = ["", "", *(piece for piece, _ in common)]
        self.numbers = {piece: number for number, piece in enumerate(self.pieces) if number > UNKNOWN}
        stream = [END] + [id for text in pieces for id in (*map(self._id, text), END)]
        # A word that is only in the test rows must not be impossible: the unknown one is seen once.
        stream += [UNKNOWN] * (order + 1 if len(stream) <= order else 1)
        self.model = NgramModel.train(np.array(stream), order, len(self.pieces))

    def ids(self, text: str) -> list[int]:
        """Return the numbers of a text's words and marks."""
        return [self._id(piece) for piece in PIECE.findall(text)]

    def nats(self, prompt: str, continuation: str) -> float:
        """Return -ln p of a continuation after a prompt (of the last words of which the model takes note)."""
        after = self.ids(continuation)
        before = [END, *self.ids(prompt)][-self.model.order :]
        return float(self.model.nats(np.array(before + after))[len(before) - 1 :].sum())

    def likeliest(self, prompt: str, candidates: Sequence[str]) -> str:
        """Return the candidate, each one piece, that is likeliest to come next."""
        before = [END, *self.ids(prompt)][-self.model.order + 1 :] if self.model.order > 1 else []
        rows = np.array([[*before, self._id(candidate)] for candidate in candidates])
        # One long row: what stands before each candidate is its own prompt's end, as long as the model looks back.
        probabilities = self.model.probabilities(np.concatenate(([END], rows.ravel())))
        return candidates[int(probabilities[rows.shape[1] - 1 :: rows.shape[1]].argmax())]

    def write(self, prompts: Sequence[str], most: int, seed: int = 0) -> list[str]:
        """Return what the model writes after each prompt, at most `most` words and marks, at temperature 1."""
        look = max(1, self.model.order - 1)
        before = [([END] * look + self.ids(prompt))[-look:] for prompt in prompts]
        written = self.model.sample(len(prompts), END, most, seed, np.array(before))
        return ["".join(self.pieces[id] for id in ids) for ids in written]

    def _id(self, piece: str) -> int:
        return self.numbers.get(piece, UNKNOWN)
