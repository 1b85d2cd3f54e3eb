"""Rows of the engine's cache: who gets one, what it still holds, when memory is cut anew, who has to wait."""

import pytest

from linnet.infer.slots import Slot, Slots, common_prefix
from linnet.model.slot_cache import SlotCache
from tests.infer.networks import network

MODEL = network()
EACH = SlotCache.bytes_a_place(MODEL.config, MODEL.embedding.weight.dtype)
LONG = list(range(20))


def slots(most: int, places: int) -> Slots:
    return Slots(MODEL, most, places * EACH)


def read_all(slot: Slot) -> Slot:
    """Note that a slot's prompt has been read."""
    slot.held = list(slot.prompt)
    return slot


@pytest.mark.parametrize(
    ("first", "second", "common"),
    [([], [1], 0), ([1, 2, 3], [1, 2, 9, 9], 2), ([1, 2], [1, 2, 3], 2), ([4], [5], 0), (LONG, LONG, 20)],
)
def test_common_prefix(first, second, common):
    assert common_prefix(first, second) == common_prefix(second, first) == common


def test_rows_are_longer_and_fewer_when_a_request_needs_it():
    room = slots(8, 200)
    assert (room.cache.rows, room.cache.capacity) == (3, 64)
    small = [room.join([n], 10) for n in range(4)]
    assert None not in small
    assert (room.cache.rows, room.cache.capacity) == (8, 16)
    assert room.join([7], 98) is None  # needs 99 places: two rows, and there are four who stay
    for slot in small[:3]:
        room.leave(slot)
    long = room.join([7], 98)
    assert long is not None
    assert (room.cache.rows, room.cache.capacity) == (2, 99)
    assert {slot.row for slot in room.taken} == {0, 1}
    assert room.join([8], 10) is None
    room.leave(long)
    assert None not in [room.join([n], 10) for n in (4, 5)]
    assert (room.cache.rows, room.cache.capacity) == (3, 64)  # short again, for more of them


def test_the_longest_beginning_is_reused_in_place_or_copied():
    room = slots(3, 99)
    one = read_all(room.join(LONG[:10], 12))
    two = room.join([*LONG[:10], 50], 12)
    assert two.held == LONG[:10]  # a copy: the first still sits there
    room.leave(one)
    three = room.join([*LONG[:10], 60], 12)
    assert three is one
    assert three.held == LONG[:10]
    room.leave(three)
    other = room.join([*LONG[:2], 70], 12)
    assert other.held == LONG[:2]
    assert other is not three  # little of what it holds is shared, and there is an empty row


def test_the_last_token_is_always_read():
    room = slots(2, 66)
    room.leave(read_all(room.join(LONG[:8], 9)))
    assert room.join(LONG[:8], 9).held == LONG[:7]


def test_a_prompt_waits_for_one_who_reads_the_same_beginning():
    room = slots(3, 99)
    reader = room.join(LONG, 22)
    assert room.join([*LONG, 50], 24) is None
    assert room.join([*LONG[:5], 50], 24) is not None  # five tokens are not worth it
    other = room.join([*LONG, 50], 24, adapter="another")  # it reads for itself
    assert (other.held, other.adapter) == ([], "another")
    room.leave(other)
    read_all(reader)
    assert room.join([*LONG, 50], 24).held == LONG


def test_what_another_adapter_has_made_is_not_reused():
    room = slots(2, 66)
    for adapter, reused in ((None, 0), ("one", 0), ("two", 0), ("one", 19), (None, 0), (None, 19)):
        slot = room.join(LONG, 22, adapter=adapter)
        assert len(slot.held) == reused  # of two rows the one that was left first goes to a newcomer
        room.leave(read_all(slot))


def test_more_than_may_be_read_waits():
    room = slots(3, 99)
    assert room.join(LONG, 22, most=19) is None
    read_all(room.join(LONG[:5], 22))
    assert room.join(LONG, 22, most=15) is not None


def test_taken_rows_are_closed_up_and_the_row_left_first_is_used_first():
    room = slots(4, 4 * 33)
    sat = [read_all(room.join([n] * 4, 9)) for n in range(4)]
    room.leave(sat[1])
    room.leave(sat[0])
    assert [slot.row for slot in room.span()] == [0, 1]
    assert room.span() == room.taken
    assert {slot.row for slot in (sat[0], sat[1])} == {2, 3}
    assert room.join([9], 9) is sat[1]


def test_where_nothing_is_said_all_have_the_context():
    room = Slots(MODEL, 5, None)
    assert (room.cache.rows, room.cache.capacity) == (5, MODEL.config.context_length + 1)
