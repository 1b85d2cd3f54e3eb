"""Questions for texts that have none: some words of a sentence ask for the passage that it stands in (Lee et al. 2019).

With them an encoder learns to search from one's own documents alone.
"""

import random
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SENTENCE = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n\s*\n")
WORDS = 110  # of a passage: it fits into 128 to 256 tokens
FEWEST = 4  # words of a sentence that may ask
KEPT = (0.4, 0.9)  # share of a sentence's words that ask, drawn for each
SEEN = 0.7  # how often the sentence stays in its passage: searching is also about the same words


class Cloze(NamedTuple):
    """A question made of a passage; `whole` is the passage with nothing left out."""

    question: str
    passage: str
    whole: str


def cloze_questions(texts: Iterable[str], seed: int, most: int) -> Iterator[Cloze]:
    """Yield at most `most` questions, of each passage one for every sentence that can ask, in random order.

    A pure function of the texts and the seed.
    """
    draw = random.Random(seed)
    found: list[tuple[list[str], int]] = []
    for text in texts:
        for sentences in passages(text):
            able = [place for place, one in enumerate(sentences) if len(one.split()) >= FEWEST]
            found += [(sentences, place) for place in able]
        if len(found) >= 4 * most:  # enough to draw from; the rest is not read
            break
    draw.shuffle(found)
    for sentences, place in found[:most]:
        rest = sentences if draw.random() < SEEN else sentences[:place] + sentences[place + 1 :]
        yield Cloze(_asking(sentences[place], draw), " ".join(rest), " ".join(sentences))


def passages(text: str) -> Iterator[list[str]]:
    """Yield runs of two or more whole sentences of about `WORDS` words, without overlap."""
    held: list[str] = []
    size = 0
    for one in filter(None, map(str.strip, SENTENCE.split(text))):
        words = len(one.split())
        if held and size + words > WORDS:
            if len(held) > 1:
                yield held
            held, size = [], 0
        held, size = [*held, one], size + words
    if len(held) > 1:
        yield held


def _asking(sentence: str, draw: random.Random) -> str:
    """Return some words of a sentence in their order, as a question would take them up."""
    words, share = sentence.split(), draw.uniform(*KEPT)
    kept = [word for word in words if draw.random() < share]
    return " ".join(kept or words).rstrip(".!?\"')") + "?"
