"""Writing quality as a number: the share of sampled stories that pass the small world's checker."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from linnet import metrics
from linnet.batches.shards import Shard
from linnet.core.errors import BadInput
from linnet.data.world import STORY_START, check_stories
from linnet.evals.ngram import NgramModel, document_ends
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer

NGRAM_TOKENS = 1000  # most tokens of a story that an n-gram model writes


@dataclass(frozen=True)
class Writing:
    """What the checker said of a sample of stories.

    `problems` counts the first problem of each story that has any, by category. `distinct` is the share of different
    stories, `memorised` the share that stands word for word in the training text (None: not looked up).
    """

    stories: int
    consistent: int
    problems: dict[str, int]
    distinct: float
    memorised: float | None

    @property
    def share(self) -> float:
        """Return the share of consistent stories."""
        return self.consistent / self.stories

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the Wilson interval of the share."""
        return metrics.wilson_interval(self.consistent, self.stories, confidence)

    def numbers(self) -> dict[str, Any]:
        """Return what to publish, as JSON values."""
        low, high = self.interval()
        return {
            "stories": self.stories,
            "consistent": self.consistent,
            "share": self.share,
            "share_low": low,
            "share_high": high,
            "problems": self.problems,
            "distinct": self.distinct,
            "memorised": self.memorised,
        }


def writing_quality(texts: Sequence[str], known: Collection[str] | None = None) -> Writing:
    """Check stories; `known` are the texts of the training data, to see which were only remembered.

    Raises BadInput when there are no stories.
    """
    if not texts:
        raise BadInput("no stories to check: ask for at least one")
    tally = check_stories(texts)
    told = [text.strip() for text in texts]
    memorised = None if known is None else sum(text in known for text in told) / len(told)
    return Writing(tally.stories, tally.consistent, tally.first_problems, len(set(told)) / len(told), memorised)


def sample_stories(
    model: Decoder,
    tokenizer: Tokenizer,
    count: int,
    seed: int = 0,
    *,
    temperature: float = 1.0,
    repetition_penalty: float = 1.0,
    batch_size: int = 64,
    max_tokens: int | None = None,
    start: str = STORY_START,
) -> list[str]:
    """Let a model write `count` stories, each at the beginning of a document, until its end token.

    `start` is the word a story begins with (it is part of the text); with "" the model begins on its own. A story
    ends at the latest at `max_tokens`, by default at the model's context.
    """
    room = max_tokens or model.config.context_length
    sampling = SamplingConfig(
        temperature=temperature, repetition_penalty=repetition_penalty, seed=seed, max_tokens=room
    )
    done = generate(model, tokenizer, [start] * count, sampling, batch_size=batch_size)
    return [start + completion.text for completion in done]


def ngram_stories(
    model: NgramModel, train: Shard, tokenizer: Tokenizer, count: int, seed: int = 0, start: str = STORY_START
) -> list[str]:
    """Let an n-gram model write `count` stories, each going on after `start` at the beginning of a document."""
    begin = tokenizer.encode(start)
    before = document_ends(train.ids, train.starts, max(1, model.order - 1), count, seed)
    texts = model.sample(count, tokenizer.end_id, NGRAM_TOKENS, seed, before, begin)
    return [tokenizer.decode(ids) for ids in texts]
