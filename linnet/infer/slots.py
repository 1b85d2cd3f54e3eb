"""Who sits in which row of the engine's cache: room within the memory, what a row still holds, prefixes shared."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from linnet.core.errors import BadInput
from linnet.infer.rows import goes_beyond_context
from linnet.model.decoder import Decoder
from linnet.model.slot_cache import SlotCache

DEFAULT_BYTES = 2**30  # of the cache, where nothing is said and all slots at full context would take more
SMALLEST = 64  # places of a row where rows cannot all have the context
# Worth waiting a step or more for: so many tokens of a prompt that another request is reading just now.
WORTH_WAITING = 16
# Empty rows between others are computed in vain; they are closed up when so few of the rows are taken.
TAKEN_SHARE = 0.9


@dataclass(eq=False)
class Slot:
    """A row of the cache: the ids whose keys and values it holds, and of a request that sits there, all it will read.

    `adapter` is the one that they were made with: another makes others of the same ids. `need` is the places that the
    request may come to need; `left_at` tells which empty slot was left first.
    """

    row: int
    held: list[int] = field(default_factory=list)
    adapter: str | None = None
    taken: bool = False
    prompt: list[int] = field(default_factory=list)
    need: int = 0
    left_at: int = 0


class Slots:
    """The rows of a cache of bounded memory; taken ones lie side by side as far as it pays.

    Rows are as many and as long as those who sit there need: a request longer than a row makes all rows longer, and
    fewer, when that leaves room for those who run.
    """

    def __init__(self, model: Decoder, slots: int, cache_bytes: int | None):
        """Take the memory; raises BadInput for one that does not hold two tokens."""
        config, weight = model.config, model.embedding.weight
        dtype = model.new_cache(1, 1).keys[0].dtype
        each = SlotCache.bytes_a_place(config, dtype)
        whole = config.context_length + 1
        if cache_bytes is None:
            cache_bytes = min(slots * whole * each, max(whole * each, DEFAULT_BYTES))
        places = cache_bytes // each
        if not goes_beyond_context(config):  # more could not be used
            places = min(places, slots * whole)
        if places < 2:
            raise BadInput(
                f"a cache of {cache_bytes:,} bytes holds no token; one takes {each:,}, give it many times that"
            )
        self.most = slots
        self.cache = SlotCache(config, places, weight.device, dtype)
        self._left = 0
        self.cuts = 0  # how often memory was cut anew
        self.all: list[Slot] = []
        self._cut(whole if slots * whole <= places else min(SMALLEST, places), 0)

    def check(self, need: int) -> None:
        """Raise BadInput for a request that would not fit into an empty cache; `need` is the tokens it may read."""
        if need + 1 > self.cache.places:
            raise BadInput(
                f"prompt and max_tokens need room for {need:,} tokens, the cache has {self.cache.places - 1:,}: "
                "ask for fewer, or give the engine more cache_bytes"
            )

    def join(self, prompt: list[int], need: int, most: int | None = None, adapter: str | None = None) -> Slot | None:
        """Return a slot for a prompt, with as much of it as another row of this adapter holds; None: it has to wait.

        It waits where there is no room, where another request is reading the same beginning at this moment, and where
        more than `most` tokens would be left to read.
        """
        if len(self.taken) == self.most:
            return None
        common = self._nearest(prompt, adapter)[1]
        too_long = most is not None and len(prompt) - common > most
        if too_long or self._promised(prompt, adapter) >= common + WORTH_WAITING or not self._make_room(need + 1):
            return None
        known, common = self._nearest(prompt, adapter)  # rows may have been cut anew
        if known is not None and not known.taken and 2 * common >= len(known.held):
            slot = known
        else:
            empty = [slot for slot in self.all if not slot.taken]
            slot = min(empty, key=lambda slot: (bool(slot.held), slot.left_at))
            if known is not None and slot is not known:
                self.cache.copy(known.row, slot.row, common)
        slot.held, slot.adapter = prompt[:common], adapter
        slot.taken, slot.prompt, slot.need = True, prompt, need + 1
        return slot

    def leave(self, slot: Slot) -> None:
        """Free a slot at once; what it holds may serve others until the row is needed."""
        self._left += 1
        slot.taken, slot.prompt, slot.need, slot.left_at = False, [], 0, self._left

    @property
    def taken(self) -> list[Slot]:
        """Return the slots where somebody sits, in the order of the rows."""
        return [slot for slot in self.all if slot.taken]

    def span(self) -> list[Slot]:
        """Return the first rows, as few as hold all that are taken (closed up first where that pays)."""
        taken = self.taken
        if taken and len(taken) < TAKEN_SHARE * (taken[-1].row + 1):
            self._close_up()
            taken = self.taken
        return self.all[: taken[-1].row + 1] if taken else []

    def take(self, slots: Sequence[Slot], counts: Sequence[int]) -> None:
        """Say to the cache which slots read next, and how many tokens each."""
        tails = [[-1, -1, *slot.held[-2:]][-2:] for slot in slots]
        self.cache.take([slot.row for slot in slots], [len(slot.held) for slot in slots], counts, tails)

    def _nearest(self, prompt: list[int], adapter: str | None) -> tuple[Slot | None, int]:
        """Return the slot that holds most of a prompt's beginning, and how much; the last token is always read."""
        best, most = None, 0
        for slot in self.all:
            common = common_prefix(slot.held, prompt[:-1]) if slot.adapter == adapter else 0
            if common > most:
                best, most = slot, common
        return best, most

    def _promised(self, prompt: list[int], adapter: str | None) -> int:
        """Return how much of a prompt's beginning those who sit here will have read when they have read theirs."""
        alike = [slot for slot in self.taken if slot.adapter == adapter]
        return max((common_prefix(slot.prompt, prompt[:-1]) for slot in alike), default=0)

    def _make_room(self, places: int) -> bool:
        """See to it that a row of so many places is free, cutting the memory anew if need be; False if it cannot."""
        taken = self.taken
        if places <= self.cache.capacity and len(taken) < len(self.all):
            return True
        longest = max([places, *(slot.need for slot in taken)])
        double = 1 << (longest - 1).bit_length()  # so that rows are not cut anew for every token more
        for capacity in (max(SMALLEST, double), double, longest):
            if capacity <= self.cache.places and min(self.most, self.cache.places // capacity) > len(taken):
                self._close_up()
                self._cut(capacity, len(taken))
                return True
        return False

    def _cut(self, capacity: int, taken: int) -> None:
        """Cut memory into rows of `capacity` places; the first `taken` stay as they are, others as there is room."""
        rows = min(self.most, self.cache.places // capacity)
        kept = self.all[:rows]
        self.cuts += 1
        for slot in kept[taken:]:
            slot.held = slot.held[: capacity - 1]
        self.cache.cut(rows, capacity, [len(slot.held) for slot in kept])
        self.all = kept + [Slot(row) for row in range(len(kept), rows)]

    def _close_up(self) -> None:
        """Bring the taken slots to the first rows."""
        taken = self.taken
        for place in range(len(taken)):
            if not self.all[place].taken:
                self._swap(self.all[place], taken.pop())

    def _swap(self, one: Slot, other: Slot) -> None:
        self.cache.swap(one.row, other.row, max(len(one.held), len(other.held)))
        one.row, other.row = other.row, one.row
        self.all[one.row], self.all[other.row] = one, other


def common_prefix(first: list[int], second: list[int]) -> int:
    """Return how many ids two rows begin with in common: [1, 2, 3] and [1, 2, 9, 9] give 2."""
    low, high = 0, min(len(first), len(second))
    while low < high:  # the first `low` are equal; slices are compared faster than items
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
