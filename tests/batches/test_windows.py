"""Windows: each once an epoch, targets shifted by one, and the n-th batch whatever came before."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.batches.batch import IGNORE
from linnet.batches.shards import Shard, ShardWriter
from linnet.batches.windows import Windows, in_order
from linnet.core.errors import BadInput


@pytest.fixture
def shard_of(tmp_path):
    def make(tokens, name="train", first=0):
        with ShardWriter(tmp_path / name, "0" * 64, 60_000) as writer:
            writer.write(np.arange(first, first + tokens), "x" * tokens)
            writer.end_document()
        return Shard.open(tmp_path / name)

    return make


def starts(windows, batches, first=0):
    return np.concatenate([windows.batch(number).ids[:, 0].numpy() for number in range(first, first + batches)])


def test_targets_are_the_next_tokens(shard_of):
    batch = Windows(shard_of(1000), batch_size=4, context=16, seed=1).next()
    assert batch.ids.shape == batch.targets.shape == (4, 16)
    assert batch.ids.dtype == batch.targets.dtype == torch.int64
    assert torch.equal(batch.targets, batch.ids + 1)  # the stream counts upwards
    assert torch.equal(batch.ids[:, 1:], batch.targets[:, :-1])


@pytest.mark.parametrize("tokens", [17, 18, 32, 33, 48, 1000, 1008])
def test_each_window_once_an_epoch_on_a_fresh_grid(shard_of, tokens):
    windows = Windows(shard_of(tokens), batch_size=1, context=16, seed=5)
    size = windows.windows_per_epoch
    epochs = [starts(windows, size, epoch * size) for epoch in range(40)]
    for epoch in epochs:
        assert len(set(epoch.tolist())) == size
        assert len({start % 16 for start in epoch.tolist()}) == 1  # one grid
        assert epoch.min() >= 0
        assert epoch.max() + 16 < tokens
    if tokens > 18:
        assert len({epoch[0] % 16 for epoch in epochs}) > 1  # and another grid in another epoch
    covered = {start + place for epoch in epochs for start in epoch for place in range(17)}
    if tokens == 1000:
        assert covered == set(range(tokens))  # nothing at the edges is left out for ever


def test_batches_go_on_over_the_end_of_an_epoch(shard_of):
    shard = shard_of(1000)
    one = Windows(shard, batch_size=1, context=16, seed=5)
    seven = Windows(shard, batch_size=7, context=16, seed=5)
    assert np.array_equal(starts(one, 210), starts(seven, 30))


def test_a_batch_larger_than_the_corpus_is_filled_from_later_epochs(shard_of):
    batch = Windows(shard_of(40), batch_size=9, context=16, seed=0).next()
    assert batch.ids.shape == (9, 16)


@settings(deadline=None, max_examples=20)
@given(drawn=st.integers(0, 10**9), seed=st.integers(0, 2**40))
def test_resuming_gives_the_batches_of_the_uninterrupted_run(tmp_path_factory, drawn, seed):
    path = tmp_path_factory.mktemp("shard") / "train"
    with ShardWriter(path, "0" * 64, 500) as writer:
        writer.write(np.arange(500), "")
        writer.end_document()
    shard = Shard.open(path)
    first = Windows(shard, batch_size=3, context=8, seed=seed)
    first.restore({**first.state(), "drawn": drawn})
    state = json.loads(json.dumps(first.state()))
    second = Windows(shard, batch_size=3, context=8, seed=seed)
    second.restore(state)
    for _ in range(3):
        assert torch.equal(first.next().ids, second.next().ids)
    assert first.state() == second.state()
    assert first.drawn == drawn + 3


def test_another_seed_is_another_order(shard_of):
    shard = shard_of(1000)
    assert not np.array_equal(*(starts(Windows(shard, 1, 16, seed), 20) for seed in (1, 2)))


def test_a_position_in_other_data_is_refused(shard_of):
    one, other = shard_of(1000), shard_of(1000, "other", first=7)
    state = Windows(one, 4, 16, seed=1).state()
    for wrong, name in (
        (Windows(other, 4, 16, seed=1), "data"),
        (Windows(one, 5, 16, seed=1), "batch_size"),
        (Windows(one, 4, 8, seed=1), "context"),
        (Windows(one, 4, 16, seed=2), "seed"),
    ):
        with pytest.raises(BadInput, match=f"cannot be resumed: {name} was"):
            wrong.restore(state)


def test_several_shards_are_drawn_from_without_straddling(shard_of):
    shards = [shard_of(100), shard_of(200, "more", first=1000)]
    windows = Windows(shards, batch_size=1, context=10, seed=2)
    found = [windows.batch(number) for number in range(windows.windows_per_epoch)]
    assert all(torch.equal(batch.targets, batch.ids + 1) for batch in found)
    assert sum(int(batch.ids[0, 0]) >= 1000 for batch in found) == 19
    assert sum(int(batch.ids[0, 0]) < 1000 for batch in found) == 9


def test_a_corpus_too_short_for_one_window_is_refused(shard_of):
    with pytest.raises(BadInput, match="16 tokens; a window of context 16 needs at least 17"):
        Windows(shard_of(16), batch_size=1, context=16, seed=0)


@pytest.mark.parametrize("tokens", [2, 9, 16, 17, 18, 100])
def test_in_order_every_token_but_the_first_is_a_target_once(shard_of, tokens):
    batches = list(in_order(shard_of(tokens), batch_size=3, context=8))
    targets = torch.cat([batch.targets.flatten() for batch in batches])
    assert targets[targets != IGNORE].tolist() == list(range(1, tokens))
    for batch in batches:
        learned = batch.targets != IGNORE
        assert learned.any(dim=1).all()  # no row without a target
        assert torch.equal(batch.targets[learned], batch.ids[learned] + 1)


def test_in_order_stops_when_told(shard_of):
    shard = shard_of(100)
    assert len(list(in_order(shard, batch_size=3, context=8, most=2))) == 2
    assert list(in_order(shard, batch_size=3, context=8, most=0)) == []
