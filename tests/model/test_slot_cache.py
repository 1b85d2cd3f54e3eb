"""Rows that come and go in one block of memory read what whole rows read, and logits of one place are those of all."""

import pytest
import torch

from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.slot_cache import SlotCache
from tests.infer.networks import network

ROWS = [[1, 2, 3, 4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15, 16]]
KINDS = {
    "ours": {},
    "gpt2": {"positions": "learned", "norm": "layer", "norm_gain": True, "attention_bias": True},
    "grouped": {"num_heads": 4, "num_kv_heads": 2},
    "window": {"window": 3, "sink_tokens": 1},
    "relative": {"positions": "relative", "relative_buckets": 4, "relative_distance": 16},
    "ngrams": {"ngram_buckets": 31},
}


def cache_of(model: Decoder, places: int = 40) -> SlotCache:
    return SlotCache(model.config, places, torch.device("cpu"), torch.float32)


@torch.no_grad()
def read(model: Decoder, cache: SlotCache, rows: list[int], starts: list[int], counts: list[int]) -> list[torch.Tensor]:
    """Let rows of the cache read their next tokens; return the logits of each row's real ones."""
    longest = max(counts)
    pieces = [ROWS[row][start : start + count] for row, start, count in zip(rows, starts, counts, strict=True)]
    tails = [[-1, -1, *ROWS[row][:start]][-2:] for row, start in zip(rows, starts, strict=True)]
    cache.take(rows, starts, counts, tails)
    ids = torch.tensor([piece + [0] * (longest - len(piece)) for piece in pieces])
    logits = model(ids, cache=cache, lengths=torch.tensor(counts))
    return [row[:count] for row, count in zip(logits, counts, strict=True)]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_in_pieces_moved_and_cut_anew_equal_whole_rows(kind):
    model = network(**KINDS[kind])
    with torch.no_grad():
        whole = [model(torch.tensor([row]))[0] for row in ROWS]
    cache = cache_of(model)
    cache.cut(4, 10)
    heard = read(model, cache, [0, 1, 2], [0, 0, 0], [3, 1, 2])
    torch.testing.assert_close(heard[2], whole[2][:2])
    cache.cut(3, 12, [3, 1, 2])  # taller rows
    (second,) = read(model, cache, [1], [1], [2])
    torch.testing.assert_close(second, whole[1][1:3])
    first, third = read(model, cache, [0, 2], [3, 2], [1, 3])  # rows that do not lie side by side
    torch.testing.assert_close(torch.cat((first, third)), torch.cat((whole[0][3:4], whole[2][2:5])))
    cache.cut(4, 9, [4, 3, 5])  # lower ones
    first, second, _ = read(model, cache, [0, 1, 2], [4, 3, 5], [3, 1, 0])  # the third stands by
    torch.testing.assert_close(torch.cat((first, second)), torch.cat((whole[0][4:], whole[1][3:])))


def test_a_row_goes_on_from_a_copy_and_in_another_place():
    model = network()
    with torch.no_grad():
        whole = model(torch.tensor([ROWS[0]]))[0]
    cache = cache_of(model)
    cache.cut(3, 10)
    read(model, cache, [0, 1], [0, 0], [4, 3])
    cache.copy(0, 2, 3)
    cache.swap(0, 1, 4)
    cache.take([1, 2], [4, 3], [2, 2], [ROWS[0][2:4], ROWS[0][1:3]])
    with torch.no_grad():
        logits = model(torch.tensor([ROWS[0][4:6], ROWS[0][3:5]]), cache=cache)
    torch.testing.assert_close(logits, torch.stack((whole[4:6], whole[3:5])))


def test_memory_is_taken_once_and_counted():
    config = ModelConfig(num_layers=3, num_heads=4, num_kv_heads=2, hidden_size=32)
    cache = SlotCache(config, 100, torch.device("cpu"), torch.bfloat16)
    assert cache.bytes == 100 * SlotCache.bytes_a_place(config, torch.bfloat16) == 100 * 2 * 3 * 2 * 8 * 2
    where = cache._flat.data_ptr()
    for rows, capacity in ((1, 100), (10, 10), (3, 33)):
        cache.cut(rows, capacity)
        assert (cache.rows, cache.capacity, cache._all.data_ptr()) == (rows, capacity, where)
    with pytest.raises(RuntimeError):
        cache.cut(2, 51)
