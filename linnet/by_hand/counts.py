"""Counts of characters and words: what is known of a text before anything is learned.

N things counted, V different ones.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

# A word is a run of letters and digits; an apostrophe or a hyphen may stand inside: "don't", "well-known".
WORD = re.compile(r"\w+(?:['’-]\w+)*")


def character_counts(text: str) -> dict[str, int]:
    """Return how often each character occurs, the most frequent first; equal counts in code point order."""
    return _sorted(text)


def word_counts(text: str) -> dict[str, int]:
    """Return how often each word occurs, in small letters, the most frequent first; equal counts by the alphabet."""
    return _sorted(word.lower() for word in WORD.findall(text))


def entropy(counts: Mapping[str, int]) -> float:
    """Return the entropy in nats of drawing one thing by its count: -sum p ln p with p = count / N (Shannon 1948).

    It is the loss of a model that knows how often each thing occurs and nothing else: an n-gram of order 1.
    """
    share = np.array([count for count in counts.values() if count > 0], dtype=np.float64)
    if not share.size:
        raise ValueError("nothing was counted, so there is no entropy; give a text")
    share /= share.sum()
    # max: one thing alone gives -0.0
    return max(0.0, float(-(share * np.log(share)).sum()))


def vocabulary(text: str) -> list[str]:
    """Return the different characters of a text in code point order; the place of each is its id."""
    return sorted(set(text))


def encode(text: str, characters: Sequence[str]) -> np.ndarray:
    """Return ids [N] of a text; raises ValueError naming the first character that has none."""
    ids = {character: id for id, character in enumerate(characters)}
    unknown = next((place for place, character in enumerate(text) if character not in ids), None)
    if unknown is not None:
        raise ValueError(
            f"{text[unknown]!r} at place {unknown} is not among the {len(ids)} characters of the vocabulary"
        )
    return np.array([ids[character] for character in text], dtype=np.int64)


def decode(ids: Iterable[int], characters: Sequence[str]) -> str:
    """Return the text of ids, the inverse of `encode`."""
    return "".join(characters[id] for id in ids)


def _sorted(things: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(things).items(), key=lambda item: (-item[1], item[0])))
