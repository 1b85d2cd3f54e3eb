"""Linnet's own rows and perplexity on a small shard."""

import math

import pytest
import torch

from linnet.batches.batch import IGNORE, Batch
from linnet.prove.ours_data import Data, rows_of
from linnet.text.tokenizer import Tokenizer
from tests.prove.subjects import decoder

TOKENIZER = Tokenizer.train_characters(["abcdefghijklmnopqrstuvwxyz .,!?-ABCDEF"])
END = TOKENIZER.end_id


@pytest.fixture(scope="module")
def model():
    return decoder("ours", vocab_size=TOKENIZER.vocab_size, context_length=32)


def test_stretches_of_a_batch_are_whole_tokens():
    ids = torch.tensor([[5, 6, 7, 8, 9, 0]])
    targets = torch.tensor([[6, 7, 2, 9, IGNORE, IGNORE]])
    documents = torch.tensor([[0, 0, 0, 1, 1, -1]])
    first, second = rows_of([Batch(ids, targets, documents)])
    assert first.ids.tolist() == [[5, 6, 7, 2]]
    assert first.learned.tolist() == [[False, True, True, True]]
    assert second.ids.tolist() == [[8, 9]]
    assert second.learned.tolist() == [[False, True]]
    assert rows_of([Batch(ids[:, :1], torch.tensor([[IGNORE]]))]) == []


@pytest.mark.parametrize("packed", [False, True])
def test_examples_are_learned_with_their_ends(model, packed):
    examples = Data(model, TOKENIZER, packed).examples()
    assert all(rows.ids.shape[1] > 1 for rows in examples)
    assert sum(int(((rows.ids == END) & rows.learned).sum()) for rows in examples) > 10
    if packed:  # a document ends with its end token, and begins after one
        assert all(int(rows.ids[0, -1]) == END for rows in examples)
    else:
        assert {rows.ids.shape[1] for rows in examples} == {33}


@pytest.mark.parametrize("packed", [False, True])
def test_the_rows_are_those_that_are_measured(model, packed):
    found = Data(model, TOKENIZER, packed).perplexity()
    losses = []
    with torch.no_grad():
        for rows in found.rows:
            logprobs = model(rows.ids[:, :-1]).double().log_softmax(-1)
            losses.append(-logprobs.gather(2, rows.ids[:, 1:, None])[..., 0][rows.learned[:, 1:]])
    assert found.measure(3) == pytest.approx(math.exp(float(torch.cat(losses).mean())), rel=1e-5)


def test_one_long_text_has_no_examples_but_a_perplexity(model):
    data = Data(model, TOKENIZER, packed=False, one_document=True)
    assert data.examples() == []
    perplexity = data.perplexity()
    assert END not in torch.cat([rows.ids.flatten() for rows in perplexity.rows])
    assert perplexity.measure(2) > 1
