"""How documents are cut and searched, as choices without torch: `--help` reads them."""

from typing import Literal

from pydantic import Field

from linnet.core.config import Config

# The share of what a question is about that the best chunk must hold, or the documents do not say it. Measured on 465
# questions of SQuAD; on 460 others it answers 87% whose passage is there and refuses 84% whose passage was left out.
# `linnet rag INDEX --measure ROWS --calibrate` finds it for other documents, with what else to go by.
WEAK_BELOW = 0.45


class EvidenceConfig(Config):
    """What tells that a source answers a question: the sum of its numbers, each times its weight here.

    How high BM25 and a cosine come depends on the documents and the encoder, so that without questions to learn it from
    only the coverage counts.
    """

    coverage: float = Field(default=1.0, allow_inf_nan=False)
    """Of the share of the question's words, by their rarity, that stands in it."""
    words: float = Field(default=0.0, allow_inf_nan=False)
    """Of its BM25."""
    meaning: float = Field(default=0.0, allow_inf_nan=False)
    """Of the cosine of its vector and the question's."""


BY_COVERAGE = EvidenceConfig()


class ChunkConfig(Config):
    """How documents are cut."""

    tokens: int = Field(default=200, ge=8, le=100_000)
    """Most tokens of a chunk: of the encoder where there is one, else words and punctuation marks."""
    overlap: int = Field(default=40, ge=0)
    """Tokens that a chunk repeats from the end of the one before, in whole sentences; at most half of `tokens`."""


By = Literal["fused", "words", "meaning"]
Form = Literal["numbered", "plain"]
Pooling = Literal["first", "last", "mean"]


class VectorConfig(Config):
    """How a text becomes a vector by somebody else's encoder; saved as `vectors.json` beside its weights."""

    begin: tuple[int, ...] = ()
    """Ids before each text."""
    end: tuple[int, ...] = ()
    """Ids after each text."""
    longest: int = Field(ge=1)
    """Most tokens of a row; what is beyond is cut off."""
    pooling: Pooling = "mean"
    """Whose last state is the vector: the first token's, the last one's, or the mean of all."""
    lower: bool = False
    """Read a text in small letters."""
    question: str = ""
    """What goes before a question."""
    passage: str = ""
    """What goes before a passage."""
