"""Some of the replies that a run writes: how many are asked for, how many rows are light, what a row keeps."""

import pytest

from linnet.explain import writing
from linnet.explain.writing import asked_for_a_while, light_rows, row_bytes, tiled, timed
from tests.infer.networks import network


@pytest.fixture
def clock(monkeypatch):
    """Let a question take half a second, by a clock that only questions move."""
    now = [0.0]
    monkeypatch.setattr(writing.time, "perf_counter", lambda: now[0])

    def make(count):
        now[0] += 0.5 * count
        made.append(count)
        return f"{count} answers"

    made: list[int] = []
    return make, made


@pytest.mark.parametrize(
    ("first", "most", "asked"),
    [
        (2, 100, [2, 10]),  # so many as take the patience of five seconds
        (16, 100, [16]),  # these took eight
        (2, 2, [2]),  # there are no more
        (8, 9, [8, 9]),  # all are better than nearly all
        (20, 3, [3]),
    ],
)
def test_more_is_asked_where_the_first_were_quick(clock, first, most, asked):
    make, made = clock
    found, count, seconds = asked_for_a_while(make, first, most)
    assert made == asked
    assert (found, count, seconds) == (f"{asked[-1]} answers", asked[-1], 0.5 * asked[-1])


def test_heavy_networks_write_fewer_rows_at_once(monkeypatch):
    model = network()
    assert light_rows(model, 10, 128) == 128
    one = writing.factors_of(model) * 10
    monkeypatch.setattr(writing, "HEAVY", 7.5 * one)
    assert light_rows(model, 10, 128) == 7
    assert light_rows(model, 10, 4) == 4
    assert light_rows(model, 1000, 128) == 1


def test_a_row_keeps_its_keys_and_values_up_to_the_context():
    model = network(num_heads=2, num_kv_heads=1)  # of 8 numbers, in two layers, fp32
    cache = model.new_cache(3, 19)  # and a place for padding
    assert 3 * row_bytes(model, 20) == 2 * 4 * sum(part.numel() for part in (*cache.keys, *cache.values))
    assert row_bytes(model, 99) == row_bytes(model, 32)


def test_items_come_again_until_there_are_enough():
    assert tiled("abc", 7) == list("abcabca")
    assert tiled("abc", 2) == ["a", "b"]
    assert tiled([], 3) == []


def test_an_act_is_timed():
    found, seconds = timed(lambda: sum(range(100_000)))
    assert found == 4999950000
    assert 0 < seconds < 10
