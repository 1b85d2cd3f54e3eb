"""Writing as a number: true stories pass, broken ones do not, and what was only remembered is seen."""

import pytest

from linnet.batches.shards import Shard
from linnet.core.errors import BadInput
from linnet.data.world import STORY_START, documents
from linnet.evals.ngram import NgramModel
from linnet.evals.shard_text import known_texts
from linnet.evals.writing import ngram_stories, sample_stories, writing_quality
from linnet.metrics import wilson_interval
from linnet.text.tokenizer import Tokenizer
from tests.evals.shards import write_shard
from tests.infer.networks import network


@pytest.fixture(scope="module")
def stories() -> list[str]:
    return list(documents("train", seed=3, count=150, kinds=["stories"]))


@pytest.fixture(scope="module")
def tokenizer(stories) -> Tokenizer:
    return Tokenizer.train_bpe(stories, 500)


@pytest.fixture(scope="module")
def train(stories, tokenizer, tmp_path_factory) -> Shard:
    return write_shard(tmp_path_factory.mktemp("train") / "train", tokenizer, stories)


def test_the_worlds_own_stories_pass(stories):
    found = writing_quality(stories)
    assert (found.stories, found.consistent, found.problems) == (150, 150, {})
    assert found.numbers()["share"] == 1.0
    assert found.memorised is None


def test_broken_stories_are_counted_by_what_is_wrong(stories):
    broken = [story[: len(story) // 2] for story in stories[:40]] + stories[40:100]
    found = writing_quality(broken)
    assert found.consistent == 60
    assert sum(found.problems.values()) == 40
    assert found.interval() == wilson_interval(60, 100)
    assert found.interval()[0] < found.share < found.interval()[1]


def test_remembered_and_repeated_stories_are_seen(stories, train, tokenizer):
    known = known_texts(train, tokenizer)
    assert {story.strip() for story in stories} <= known
    fresh = list(documents("test", seed=3, count=20, kinds=["stories"]))
    found = writing_quality([*fresh, *stories[:10], *stories[:10]], known)
    assert found.memorised == pytest.approx(20 / 40)
    assert found.distinct == pytest.approx(30 / 40)


def test_a_model_writes_stories_that_depend_on_seed_and_number_only(tokenizer):
    model = network(vocab_size=tokenizer.vocab_size, context_length=24)
    texts = sample_stories(model, tokenizer, 7, seed=1)
    assert all(text.startswith(STORY_START) for text in texts)
    assert len(set(texts)) == 7
    assert sample_stories(model, tokenizer, 7, seed=1, batch_size=2) == texts
    assert sample_stories(model, tokenizer, 3, seed=1) == texts[:3]
    assert sample_stories(model, tokenizer, 3, seed=2) != texts[:3]
    assert len(set(sample_stories(model, tokenizer, 3, temperature=0))) == 1
    assert writing_quality(texts).consistent == 0  # random weights tell no story
    greedy, varied = (
        sample_stories(model, tokenizer, 1, temperature=0, repetition_penalty=penalty)[0] for penalty in (1, 100)
    )
    assert len(set(tokenizer.encode(varied))) > len(set(tokenizer.encode(greedy)))


@pytest.mark.slow
def test_an_ngram_model_tells_some_stories_wrongly(train, tokenizer):
    model = NgramModel.train(train.ids, 4, tokenizer.vocab_size)
    texts = ngram_stories(model, train, tokenizer, 40, seed=1)
    assert all(text.startswith(STORY_START) for text in texts)
    found = writing_quality(texts)
    assert found.share < 0.5
    assert texts == ngram_stories(model, train, tokenizer, 40, seed=1)


def test_no_stories_are_refused():
    with pytest.raises(BadInput, match="at least one"):
        writing_quality([])
