"""What each event of everyday life needs and changes: meeting, moving, holding, moods, losing and finding."""

from collections.abc import Callable

from linnet.data.world.lexicon import ANIMALS
from linnet.data.world.reading.references import Bound
from linnet.data.world.reading.scene import Person, Scene, Thing, Wrong, need

Rule = Callable[[Scene, Bound], None]


def _opening(w: Scene, s: Bound) -> None:
    for name in "AB":
        if s.names(name):
            getattr(s, name).enter(s.P)


def _come(w: Scene, s: Bound) -> None:
    host = s.A if s.names("A") else next(iter(w.before), None)
    if host is None or host.place is None:
        raise Wrong("place", f"nobody said where {s.B.name} comes to")
    s.B.enter(host.place)


def _meet(w: Scene, s: Bound) -> None:
    host = s.A if s.names("A") else next(iter(w.before), None)
    need(host is not None and len(host.visited) > 1, "place", "nobody has gone anywhere to meet somebody there")
    _come(w, s)


def _is_at(w: Scene, s: Bound) -> None:
    need(s.B.place in (None, s.P), "place", f"{s.B.name} is at the {s.B.place}, not the {s.P}")
    s.B.enter(s.P)


def _go(w: Scene, s: Bound) -> None:
    w.move(s.A, s.P)


def _go_back(w: Scene, s: Bound) -> None:
    need(s.P in s.A.visited, "place", f"{s.A.name} has not been at the {s.P} before")
    w.move(s.A, s.P)


def _carry(w: Scene, s: Bound) -> None:
    w.holds(s.A, s.T)
    w.move(s.A, s.P)


def _carry_back(w: Scene, s: Bound) -> None:
    w.holds(s.A, s.T)
    _go_back(w, s)


def _go_together(w: Scene, s: Bound) -> None:
    group = s.they or [s.A, s.B]
    w.together(*group)
    for person in group:
        w.move(person, s.P)


def _rest(w: Scene, s: Bound) -> None:
    need(len(s.A.visited) > 1, "place", f"{s.A.name} has gone nowhere")


def _own(w: Scene, s: Bound) -> None:
    need(s.A.place is not None, "place", f"nobody said where {s.A.name} is")
    need(s.T.noun not in ANIMALS, "thing", f"a {s.T.noun} is not carried about")
    s.T.owner = s.A
    w.hold(s.A, s.T)


def _treasure(w: Scene, s: Bound) -> None:
    w.owns(s.A, s.T)
    w.holds(s.A, s.T)


def _take(w: Scene, s: Bound) -> None:
    pick_up(w, s.A, s.T)


def pick_up(w: Scene, person: Person, thing: Thing) -> None:
    """Let somebody take a thing that lies where they are."""
    need(thing.holder is None, "possession", f"the {thing.noun} is in somebody's hands")
    need(thing.noun not in ANIMALS, "thing", f"a {thing.noun} is not picked up")
    in_light(w, person, thing)
    w.hold(person, thing)


def in_light(w: Scene, person: Person, thing: Thing) -> None:
    """Need that a thing lies where somebody is and that it can be seen."""
    need(thing.place is not None and thing.place == person.place, "place", f"no {thing.noun} at the {person.place}")
    need(not w.troubled(person, "dark"), "order", f"{person.name} sees nothing in the dark")


def _give(w: Scene, s: Bound) -> None:
    hand_over(w, s.A, s.B, s.T)


def hand_over(w: Scene, giver: Person, receiver: Person, thing: Thing) -> None:
    """Let a thing go from hand to hand."""
    w.holds(giver, thing)
    w.together(giver, receiver)
    w.hold(receiver, thing)
    w.note("gave", giver.name, receiver.name, thing.noun)
    w.favour(giver, receiver)


def _take_and_give(w: Scene, s: Bound) -> None:
    pick_up(w, s.A, s.T)
    hand_over(w, s.A, s.B, s.T)


def _play(w: Scene, s: Bound) -> None:
    w.holds(s.A, s.T)


def _sad(w: Scene, s: Bound) -> None:
    need(w.troubled(s.A), "mood", f"{s.A.name} has no reason to be sad")


def _happy(w: Scene, s: Bound) -> None:
    need(not w.troubled(s.A), "mood", f"{s.A.name} is in trouble, not happy")
    need(s.A.name in w.glad, "mood", f"nothing good has happened to {s.A.name}")


def _happy_again(w: Scene, s: Bound) -> None:
    _happy(w, s)
    need(w.has("trouble", s.A.name), "mood", f"{s.A.name} was not sad before")


def _ask_what_is_wrong(w: Scene, s: Bound) -> None:
    sufferers = [s.A] if s.names("A") else w.others(s.B)
    w.together(s.B, *sufferers)
    need(any(w.troubled(person) for person in sufferers), "mood", f"nobody is sad where {s.B.name} is")


def _thank(w: Scene, s: Bound) -> None:
    w.together(s.A, s.B)
    need(w.has("favour", s.B.name, s.A.name), "memory", f"{s.B.name} has done nothing for {s.A.name}")


def _late(w: Scene, s: Bound) -> None:
    need(not w.has("evening"), "order", "it is evening already")
    w.note("evening")


def _leave(w: Scene, s: Bound) -> None:
    w.holds(s.A, s.T)
    need(not s.names("P") or s.A.place == s.P, "place", f"{s.A.name} is at the {s.A.place}")
    s.T.holder, s.T.lying = None, s.A.place


def _miss(w: Scene, s: Bound) -> None:
    w.owns(s.A, s.T)
    need(s.T.holder is None, "possession", f"the {s.T.noun} is in somebody's hands")
    need(s.T.place != s.A.place, "place", f"the {s.T.noun} is there, at the {s.T.place}")
    need(not w.troubled(s.A, "lost"), "order", f"{s.A.name} knows that already")
    w.trouble("lost", s.A, s.T.noun)
    w.note("missed", s.T.noun, str(s.A.place))


def _tell_lost(w: Scene, s: Bound) -> None:
    need(w.troubled(s.A, "lost", s.T.noun), "order", f"{s.A.name} has not missed the {s.T.noun}")
    w.accompanied(s.A)


def _suggest(w: Scene, s: Bound) -> None:
    lost = [w.things[t[2]] for person in w.others(s.B) for t in w.troubles if t[:2] == ("lost", person.name)]
    need(bool(lost), "order", f"nobody there has told {s.B.name} of a loss")
    need(any(thing.place == s.P for thing in lost), "place", f"it is not at the {s.P}")
    need(s.B.place != s.P, "place", f"they are at the {s.P} already")


def _not_there(w: Scene, s: Bound) -> None:
    need(any(t[0] == "lost" and t[2] == s.T.noun for t in w.troubles), "order", f"nobody misses the {s.T.noun}")
    need(s.T.place != w.here(), "place", f"the {s.T.noun} is there")
    need(not w.has("missed", s.T.noun, w.here()), "order", f"that is known at the {w.here()} already")


def _find(w: Scene, s: Bound) -> None:
    need(s.T.holder is None, "possession", f"the {s.T.noun} is in somebody's hands")
    in_light(w, s.B, s.T)
    missed = any(t[0] == "lost" and t[2] == s.T.noun for t in w.troubles)
    fetched = any(p[0] == "fetch" and p[2] == s.T.noun for p in w.promises)
    need(missed or fetched, "order", f"nobody is looking for the {s.T.noun}")
    need(not w.has("found", "", s.T.noun, ""), "order", f"the {s.T.noun} has been found already")
    w.note("found", s.B.name, s.T.noun, str(s.T.place))


def _end_found(w: Scene, s: Bound) -> None:
    w.remember("found", s.B.name, s.T.noun, s.P)
    w.owns(s.A, s.T)
    w.holds(s.A, s.T)


EVERYDAY: dict[str, Rule] = {
    "open": _opening,
    "open two": _opening,
    "come": _come,
    "meet": _meet,
    "is at": _is_at,
    "go": _go,
    "carry": _carry,
    "go back": _go_back,
    "carry back": _carry_back,
    "go together": _go_together,
    "rest": _rest,
    "own": _own,
    "treasure": _treasure,
    "take": _take,
    "give": _give,
    "take and give": _take_and_give,
    "play": _play,
    "sad": _sad,
    "happy": _happy,
    "happy again": _happy_again,
    "ask what is wrong": _ask_what_is_wrong,
    "thank": _thank,
    "late": _late,
    "leave": _leave,
    "miss": _miss,
    "tell lost": _tell_lost,
    "suggest": _suggest,
    "not there": _not_there,
    "find": _find,
    "end found": _end_found,
}
