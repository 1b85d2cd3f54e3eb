"""Packing against plain rules: nothing lost, nothing mixed, rows as full as best-fit-decreasing makes them."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.batches.batch import IGNORE
from linnet.batches.packing import PackedRows, pack, packed_batch, segments
from linnet.batches.shards import Shard, ShardWriter
from linnet.core.errors import BadInput

LENGTHS = st.lists(st.integers(0, 40), min_size=1, max_size=30).filter(any)


def numbered(lengths):
    """Documents whose every token is unique: 1000 * document + place."""
    return [1000 * (number + 1) + np.arange(length) for number, length in enumerate(lengths)]


def best_fit_decreasing(lengths, context):
    """The textbook rule, slow: the sorted rooms that are left."""
    rooms = []
    for segment in sorted(segments(lengths, context), key=lambda segment: -segment.length):
        fitting = [room for room in rooms if room >= segment.length]
        room = min(fitting, default=context)
        if fitting:
            rooms.remove(room)
        rooms.append(room - segment.length)
    return sorted(rooms)


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 16))
def test_rows_equal_the_plain_rule(lengths, context):
    rows = pack(lengths, context)
    assert sorted(context - sum(segment.length for segment in row) for row in rows) == best_fit_decreasing(
        lengths, context
    )
    assert rows == pack(list(lengths), context)


@settings(deadline=None, max_examples=40)
@given(LENGTHS, st.integers(1, 16))
def test_no_token_is_lost_mixed_or_moved(lengths, context):
    documents = numbered(lengths)
    batch = packed_batch(pack(lengths, context), documents, context)
    real = batch.documents >= 0
    assert sorted(batch.ids[real].tolist()) == sorted(np.concatenate(documents).tolist())
    assert (batch.targets[~real] == IGNORE).all()
    for ids, targets, numbers, positions in zip(
        batch.ids, batch.targets, batch.documents, batch.positions, strict=True
    ):
        for number in range(int(numbers.max()) + 1):
            mine = numbers == number
            assert len(set((ids[mine] // 1000).tolist())) == 1  # one document in a segment
            assert positions[mine].tolist() == list(range(int(mine.sum())))
            steps = torch.diff(torch.nonzero(mine).flatten())
            assert (steps == 1).all()
        learned = targets != IGNORE
        assert torch.equal(targets[learned], ids[learned] + 1)  # the next token of the same document
    # Every token but the first of each document is a target once, also over the cuts of a long one.
    expected = np.concatenate([document[1:] for document in documents])
    assert sorted(batch.targets[batch.targets != IGNORE].tolist()) == sorted(expected.tolist())


def test_a_worked_example():
    batch = packed_batch(pack([3, 2, 7], 4), numbered([3, 2, 7]), 4)
    assert batch.ids.tolist() == [
        [3000, 3001, 3002, 3003],
        [1000, 1001, 1002, 0],
        [3004, 3005, 3006, 0],
        [2000, 2001, 0, 0],
    ]
    assert batch.targets.tolist()[0] == [3001, 3002, 3003, 3004]
    assert batch.targets.tolist()[1] == [1001, 1002, IGNORE, IGNORE]
    assert batch.documents.tolist()[3] == [0, 0, -1, -1]
    shared = packed_batch(pack([2, 2], 4), numbered([2, 2]), 4)
    assert shared.documents.tolist() == [[0, 0, 1, 1]]
    assert shared.positions.tolist() == [[0, 1, 0, 1]]
    assert shared.targets.tolist() == [[1001, IGNORE, 2001, IGNORE]]


@pytest.fixture
def shard(tmp_path):
    lengths = [5, 3, 12, 1, 7, 2, 2, 9]
    with ShardWriter(tmp_path / "train", "0" * 64, 60_000) as writer:
        for document in numbered(lengths):
            writer.write(document, "")
            writer.end_document()
    return Shard.open(tmp_path / "train")


def test_each_row_once_an_epoch(shard):
    rows = PackedRows(shard, batch_size=1, context=8, seed=3)
    for epoch in range(3):
        seen = [rows.next() for _ in range(len(rows.rows))]
        ids = torch.cat([batch.ids[batch.documents >= 0] for batch in seen])
        targets = torch.cat([batch.targets[batch.documents >= 0] for batch in seen])
        assert sorted(targets.tolist()) == sorted(shard.ids.tolist()), epoch  # each token is learned once
        ends = shard.ids[shard.starts[1:].astype(int) - 1].tolist()
        begins = [int(shard.ids[shard.starts[1].astype(int) - 1])] * len(ends)
        assert sorted(ids.tolist() + ends) == sorted(shard.ids.tolist() + begins), epoch
    assert rows.filled == shard.tokens / (len(rows.rows) * 8)


def test_resuming_gives_the_batches_of_the_uninterrupted_run(shard):
    first = PackedRows(shard, batch_size=2, context=8, seed=3)
    for _ in range(7):
        first.next()
    second = PackedRows(shard, batch_size=2, context=8, seed=3)
    second.restore(json.loads(json.dumps(first.state())))
    for _ in range(3):
        assert torch.equal(first.next().ids, second.next().ids)
    with pytest.raises(BadInput, match="context was 8, is 4 now"):
        PackedRows(shard, batch_size=2, context=4, seed=3).restore(first.state())
