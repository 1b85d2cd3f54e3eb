"""A training before its first step: rows of any batch, as wide as they were, and what of a network is multiplied."""

import torch

from linnet.batches.batch import Batch
from linnet.batches.labelled import LabelledBatch
from linnet.batches.pairs import PairBatch
from linnet.batches.questions import QuestionBatch
from linnet.batches.rollouts import RolloutBatch
from linnet.batches.source_target import SourceTargetBatch
from linnet.explain.first_step import chosen, factors_of, places_in, rows_in, widest
from linnet.train.config import PretrainConfig
from tests.infer.networks import network


def rows(count: int, width: int = 5) -> Batch:
    ids = torch.arange(count * width).view(count, width)
    return Batch(ids, ids + 1)


def test_rows_of_a_text_may_come_again():
    found = chosen(rows(3), [0, 2, 0])
    assert found.ids[:, 0].tolist() == [0, 10, 0]
    assert (rows_in(found), places_in(found)) == (3, 15)


def test_a_pair_stays_a_pair():
    pairs = PairBatch(rows(4), torch.tensor([0.0, 1.0, 2.0, 3.0]))  # two pairs: rows 0 and 2, 1 and 3
    found = chosen(pairs, [1, 1, 0])
    assert rows_in(found) == 3
    assert found.rows.ids[:, 0].tolist() == [5, 5, 0, 15, 15, 10]
    assert found.reference.tolist() == [1.0, 1.0, 0.0, 3.0, 3.0, 2.0]


def test_sources_and_labels_stay_with_their_rows():
    pairs = chosen(SourceTargetBatch(rows(2, 3).ids, torch.tensor([3, 2]), rows(2)), [1])
    assert (pairs.source.tolist(), pairs.source_lengths.tolist(), rows_in(pairs)) == ([[3, 4, 5]], [2], 1)
    assert places_in(pairs) == 8
    texts = chosen(LabelledBatch(rows(2).ids, torch.tensor([5, 4]), torch.tensor([0, 1])), [1, 0])
    assert (texts.labels.tolist(), texts.lengths.tolist()) == ([1, 0], [4, 5])


def test_questions_stay_with_their_passages():
    first, second = rows(3, 4), rows(3, 7)
    batch = QuestionBatch(first.ids, torch.tensor([4, 3, 2]), second.ids, torch.tensor([7, 6, 5]), torch.arange(3))
    found = chosen(batch, [2, 0])
    assert (rows_in(batch), places_in(batch), rows_in(found)) == (3, 33, 2)
    assert (found.questions[:, 0].tolist(), found.passages[:, 0].tolist()) == ([8, 0], [14, 0])
    assert (found.question_lengths.tolist(), found.passage_lengths.tolist()) == ([2, 4], [5, 7])
    assert found.numbers.tolist() == [2, 0]


def test_replies_keep_what_they_are_worth_and_stay_in_groups_where_these_are_whole():
    values = torch.arange(4.0)
    batch = RolloutBatch(rows(4), values, values + 10, 2, values > 1, old=rows(4).ids.float())
    found = chosen(batch, [3, 1])
    assert (rows_in(batch), places_in(batch), rows_in(found)) == (4, 20, 2)
    assert (found.rewards.tolist(), found.advantages.tolist(), found.finished.tolist()) == ([3, 1], [13, 11], [1, 0])
    assert found.old[:, 0].tolist() == [15, 5]
    assert found.reference is None
    assert [chosen(batch, numbers).group for numbers in ([0, 1], [0, 1, 2])] == [2, 1]


def test_the_widest_batch_is_found_and_how_wide_they_are_on_average():
    found, share = widest(lambda number: rows(2, (4, 8, 6)[number]), PretrainConfig(steps=3))
    assert places_in(found) == 16
    assert share == (4 + 8 + 6) / 3 / 8
    assert widest(lambda number: rows(2, (4, 8, 6)[number]), PretrainConfig(steps=3, overfit_one_batch=True))[1] == 1


def test_tables_that_are_only_looked_up_take_part_in_no_product():
    apart, tied = (network(50, tie_embeddings=tie, value_embedding_every=0) for tie in (False, True))
    assert factors_of(apart) == factors_of(tied)
    whole = sum(p.numel() for p in apart.parameters() if p.ndim > 1)
    assert factors_of(apart) == whole - apart.embedding.weight.numel()
