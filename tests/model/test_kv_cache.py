"""The cache's own book-keeping: lengths, places, rings and refusals; that its results are right is test_invariants'."""

import pytest
import torch

from linnet.model.config import ModelConfig
from linnet.model.kv_cache import KVCache, Memory

WINDOWED = ModelConfig(num_layers=1, hidden_size=4, num_heads=1, window=4, sink_tokens=2)


def feed(cache: KVCache, start: int, tokens: int, lengths=None):
    """Push keys that carry their own position; return what the queries may look at, as {position: key}."""
    positions, key_at = cache.begin(tokens, lengths)
    keys = positions[:, None, :, None].float().expand(-1, 1, -1, 4)
    seen, values = cache.extend(0, keys, -keys)
    assert torch.equal(values, -seen)
    assert positions[0, 0] == start
    return [
        {int(at): float(key[0]) for at, key in zip(key_at[row], seen[row, 0], strict=True) if at >= 0}
        for row in range(len(key_at))
    ]


def test_a_full_cache_keeps_every_position_with_its_key():
    cache = KVCache(WINDOWED, 2, 10)
    feed(cache, 0, 3, torch.tensor([3, 1]))
    first, second = feed(cache, 3, 2)
    assert first == {at: at for at in range(5)}
    assert second == {at: at for at in range(3)}
    assert cache.lengths.tolist() == [5, 3]


@pytest.mark.parametrize("pieces", [[1] * 12, [3, 9], [12], [5, 1, 6]])
def test_a_ring_keeps_sinks_and_the_window(pieces):
    cache, start = KVCache(WINDOWED, 1, 99, rolling=True), 0
    for tokens in pieces:
        (seen,) = feed(cache, start, tokens)
        start += tokens
        assert all(key == at for at, key in seen.items())
        wanted = {*range(min(2, start)), *range(max(0, start - tokens - 3), start)}
        assert wanted <= seen.keys()
    assert cache.keys[0].shape[2] == 4 + 2 + 1  # it never grows
    kept = sorted(at for at in cache.places[0].tolist() if at >= 0)
    assert kept == [0, 1, 8, 9, 10, 11]


def test_refusals():
    cache = KVCache(WINDOWED, 2, 4)
    cache.begin(3, None)
    with pytest.raises(ValueError, match="holds 4 tokens a row, not 5"):
        cache.begin(2, None)
    assert cache.lengths.tolist() == [3, 3]  # a refusal changes nothing
    for config in (WINDOWED.but(window=None), WINDOWED.but(global_every=2)):
        with pytest.raises(ValueError, match="layers all have a window"):
            KVCache(config, 1, 8, rolling=True)


def test_the_last_two_ids_are_remembered_by_row():
    cache = KVCache(WINDOWED, 3, 9)
    cache.remember(torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), torch.tensor([3, 1, 0]))
    assert cache.recent.tolist() == [[2, 3], [-1, 4], [-1, -1]]
    line = cache.remember(torch.tensor([[10], [11], [12]]), None)
    assert line.tolist() == [[2, 3, 10], [-1, 4, 11], [-1, -1, 12]]
    assert cache.recent.tolist() == [[3, 10], [4, 11], [-1, 12]]


def test_select_reorders_everything():
    cache = KVCache(WINDOWED, 2, 9)
    feed(cache, 0, 3, torch.tensor([3, 1]))
    cache.remember(torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.tensor([3, 1]))
    cache.select(torch.tensor([1, 0, 1]))
    assert cache.lengths.tolist() == [1, 3, 1]
    assert cache.recent.tolist() == [[-1, 4], [2, 3], [-1, 4]]
    rows = feed(cache, 1, 1)
    assert [sorted(row) for row in rows] == [[0, 1], [0, 1, 2, 3], [0, 1]]


@pytest.mark.parametrize("made_once", [False, True])
def test_a_memory_of_sources_keeps_rows(made_once):
    states = torch.arange(12.0).view(3, 2, 2)
    mask = torch.tensor([[True, True], [True, False], [False, True]])[:, None, None]
    pairs = [(states[:, None], -states[:, None])] if made_once else None
    memory = Memory(states, mask, pairs)
    memory.select(torch.tensor([2, 0]))
    assert torch.equal(memory.states, states[[2, 0]])
    assert torch.equal(memory.mask, mask[[2, 0]])
    if made_once:
        assert torch.equal(memory.pairs[0][1], -states[[2, 0]][:, None])
    everyone = Memory(states, None)
    everyone.select(torch.tensor([1]))
    assert everyone.mask is None
