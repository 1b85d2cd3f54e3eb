"""All exhibits of the museum, room by room, in the order in which their files show them."""

from types import ModuleType

from tests.museum import (
    adapting,
    caching,
    chatting,
    converting,
    hiding,
    judging,
    looking,
    losing,
    measured,
    mixtures,
    places,
    preferring,
    resuming,
    training,
    writing,
)
from tests.museum.exhibit import Exhibit

ROOMS = (
    looking,
    places,
    caching,
    losing,
    mixtures,
    adapting,
    preferring,
    judging,
    hiding,
    writing,
    chatting,
    training,
    resuming,
    converting,
    measured,
)


def exhibits(room: ModuleType) -> list[Exhibit]:
    """Return the exhibits that a file shows."""
    return [thing for thing in vars(room).values() if isinstance(thing, Exhibit)]


EXHIBITS = [one for room in ROOMS for one in exhibits(room)]
