"""What the events around a thing need and change: presents, loans, swaps, errands, owners, tools, storms, light."""

from linnet.data.world.lexicon import LIGHTS, TOOLS, WRAPS
from linnet.data.world.reading.references import Bound
from linnet.data.world.reading.rules import Rule, hand_over
from linnet.data.world.reading.scene import Scene, need


def _birthday(w: Scene, s: Bound) -> None:
    w.note("birthday", s.B.name)


def _plan_gift(w: Scene, s: Bound) -> None:
    giver = s.A if s.names("A") else s.T.holder
    need(giver is not None and giver is not s.B, "possession", f"nobody can give the {s.T.noun} to {s.B.name}")
    if giver:
        w.holds(giver, s.T)
        w.owns(giver, s.T)
    w.remember("birthday", s.B.name)
    w.promises.add(("gift", s.B.name, s.T.noun))


def _wish(w: Scene, s: Bound) -> None:
    w.together(s.A, s.B)
    held = [("gift", s.B.name, thing.noun) for thing in w.things.values() if thing.holder is s.A]
    need(any(gift in w.promises for gift in held), "possession", f"{s.A.name} has no present for {s.B.name}")


def _admire(w: Scene, s: Bound) -> None:
    w.holds(s.B, s.T)
    w.remember("gave", "", s.B.name, s.T.noun)


def _end_gave(w: Scene, s: Bound) -> None:
    w.remember("gave", s.A.name, s.B.name, s.T.noun)
    w.remember("birthday", s.B.name)
    w.holds(s.B, s.T)


def _borrow(w: Scene, s: Bound) -> None:
    need(s.T.holder in w.others(s.B), "possession", f"nobody there has the {s.T.noun} to lend to {s.B.name}")
    w.note("borrow", s.B.name, s.T.noun)


def _agree(w: Scene, s: Bound) -> None:
    asked = [t for t in w.things.values() if t.owner is s.A and t.holder is s.A and w.has("borrow", "", t.noun)]
    need(bool(asked), "order", f"nobody asked {s.A.name} for a thing")
    for thing in asked:
        w.note("agreed", s.A.name, thing.noun)


def _lend(w: Scene, s: Bound) -> None:
    w.remember("borrow", s.B.name, s.T.noun)
    w.remember("agreed", s.A.name, s.T.noun)
    hand_over(w, s.A, s.B, s.T)
    w.promises.add(("debt", s.B.name, s.T.noun))


def _give_back(w: Scene, s: Bound) -> None:
    w.owns(s.A, s.T)
    need(("debt", s.B.name, s.T.noun) in w.promises, "memory", f"{s.B.name} did not borrow the {s.T.noun}")
    hand_over(w, s.B, s.A, s.T)
    w.note("returned", s.B.name, s.A.name, s.T.noun)


def _praise(w: Scene, s: Bound) -> None:
    w.together(s.A, s.B)
    w.remember("returned", s.B.name, s.A.name, "")


def _end_back(w: Scene, s: Bound) -> None:
    w.remember("returned", s.B.name, s.A.name, s.T.noun)
    w.holds(s.A, s.T)


def _like(w: Scene, s: Bound) -> None:
    liker, thing = (s.A, s.U) if s.names("A") else (s.B, s.T)
    need(thing.holder in w.others(liker), "possession", f"nobody there with {liker.name} has the {thing.noun}")
    w.note("likes", liker.name, thing.noun)


def _like_too(w: Scene, s: Bound) -> None:
    need(any(thing.holder is s.B and w.has("likes", "", thing.noun) for thing in w.things.values()), "order", "too?")
    _like(w, s)


def _offer(w: Scene, s: Bound) -> None:
    wanted = [thing for thing in w.things.values() if w.has("likes", "", thing.noun)]
    holders = {thing.holder for thing in wanted}
    need(s.A in holders and len(holders) > 1, "order", f"{s.A.name} has nothing to swap")
    w.note("offer")


def _swap(w: Scene, s: Bound) -> None:
    w.remember("offer")
    w.remember("likes", s.A.name, s.U.noun)
    w.remember("likes", s.B.name, s.T.noun)
    hand_over(w, s.A, s.B, s.T)
    hand_over(w, s.B, s.A, s.U)
    s.T.owner, s.U.owner = s.B, s.A
    w.note("swapped")


def _end_swap(w: Scene, s: Bound) -> None:
    w.remember("swapped")
    w.holds(s.A, s.U)
    w.holds(s.B, s.T)


def _see(w: Scene, s: Bound) -> None:
    finder = s.A if s.names("A") else w.focus()
    need(finder.place is not None, "place", f"nobody said where {finder.name} is")
    s.T.lying = finder.place
    w.note("found", finder.name, s.T.noun, str(finder.place))
    w.promises.add(("owner", s.T.noun))


def _wonder(w: Scene, s: Bound) -> None:
    w.holds(s.A, s.T)
    need(s.T.owner is None, "order", f"the owner of the {s.T.noun} is known")


def _ask_whose(w: Scene, s: Bound) -> None:
    _wonder(w, s)
    w.accompanied(s.A)
    w.note("asked", s.A.name, s.T.noun)


def _deny(w: Scene, s: Bound) -> None:
    asked = [t for t in w.things.values() if t.holder in w.others(s.B) and w.has("asked", "", t.noun)]
    need(bool(asked) and (not s.names("T") or asked == [s.T]), "order", f"nobody asked {s.B.name} about it")
    asked[0].owner = s.C
    for asker in w.others(s.B):
        w.favour(s.B, asker)


def _tell_where(w: Scene, s: Bound) -> None:
    w.accompanied(s.B)
    need(s.C.place is None, "place", f"{s.C.name} is at the {s.C.place}")
    need(s.B.place != s.P, "place", f"{s.B.name} is at the {s.P}, and {s.C.name} is not")
    s.C.enter(s.P)


def _claim(w: Scene, s: Bound) -> None:
    w.owns(s.C, s.T)
    need(s.T.holder in w.others(s.C), "possession", f"nobody there has brought the {s.T.noun} to {s.C.name}")
    w.promises.discard(("owner", s.T.noun))


def _task(w: Scene, s: Bound) -> None:
    w.holds(s.B, s.T)
    w.owns(s.B, s.T)
    w.accompanied(s.B)
    w.promises.add(("errand", s.C.name, s.T.noun))
    w.note("task", s.B.name, s.C.name, s.T.noun, str(s.B.place))


def _promise(w: Scene, s: Bound) -> None:
    need(any(w.has("task", other.name, "", "", "") for other in w.others(s.A)), "order", f"nobody asked {s.A.name}")


def _deliver(w: Scene, s: Bound) -> None:
    w.holds(s.A, s.T)
    receivers = [person for person in w.others(s.A) if ("errand", person.name, s.T.noun) in w.promises]
    need(bool(receivers), "place", f"{s.A.name} is not with whom the {s.T.noun} is for")
    w.remember("task", s.B.name, receivers[0].name, s.T.noun, "")


def _end_errand(w: Scene, s: Bound) -> None:
    sender = s.B.name if s.names("B") else ""
    receiver = s.C if s.names("C") else s.T.holder
    need(receiver is not None and receiver is s.T.holder, "possession", f"the {s.T.noun} has not arrived")
    w.remember("task", sender, receiver.name if receiver else "", s.T.noun, s.P)
    need(not s.names("Q") or s.T.place == s.Q, "place", f"the {s.T.noun} is at the {s.T.place}")
    if s.names("A"):
        w.remember("gave", s.A.name, receiver.name if receiver else "", s.T.noun)


def _want_to_mend(w: Scene, s: Bound) -> None:
    w.promises.add(("mend", s.B.name, s.words["repair"]))


def _need_tool(w: Scene, s: Bound) -> None:
    need(any(p[:2] == ("mend", s.B.name) for p in w.promises), "order", f"{s.B.name} needs no tool")
    need(s.T.noun in TOOLS, "thing", f"a {s.T.noun} mends nothing")
    need(s.B.place != s.P, "place", f"{s.B.name} is at the {s.P} already")
    s.T.owner, s.T.lying = s.B, s.P
    w.promises.add(("fetch", s.B.name, s.T.noun))
    w.note("tool", s.B.name, s.T.noun, s.P)


def _offer_help(w: Scene, s: Bound) -> None:
    helped = [s.B] if s.names("B") else w.others(s.A)
    w.together(s.A, *helped)
    need(any(w.has("tool", person.name, "", "") for person in helped), "order", "nobody there needs a thing")


def _mend(w: Scene, s: Bound) -> None:
    w.holds(s.B, s.T)
    repair = s.words["repair"]
    need(("mend", s.B.name, repair) in w.promises, "thing", f"{s.B.name} has no {repair} to mend")
    w.promises.remove(("mend", s.B.name, repair))
    w.note("mended", repair)


def _end_mend(w: Scene, s: Bound) -> None:
    if s.names("repair"):
        w.remember("mended", s.words["repair"])
    w.remember("tool", s.B.name if s.names("B") else "", s.T.noun, s.P if s.names("P") else "")
    owner = s.T.owner
    w.remember("gave", s.A.name, owner.name if owner else "", s.T.noun)
    need(owner is not None and owner is s.T.holder, "possession", f"the {s.T.noun} is not with its owner")


def _clouds(w: Scene, s: Bound) -> None:
    need(w.here() == s.P, "place", f"nobody is at the {s.P}")


def _rain(w: Scene, s: Bound) -> None:
    need(not w.has("rain"), "order", "it has rained already")
    w.note("rain")


def _flee(w: Scene, s: Bound) -> None:
    w.remember("rain")
    w.holds(s.A, s.T)
    s.T.holder, s.T.lying = None, s.A.place
    w.move(s.A, s.P)
    w.promises |= {("fetch", s.A.name, s.T.noun), ("rain",)}
    w.trouble("cold", s.A)
    w.note("left", s.A.name, s.T.noun)


def _cold(w: Scene, s: Bound) -> None:
    need(w.troubled(s.A, "cold"), "mood", f"{s.A.name} is not in the rain")


def _wrap(w: Scene, s: Bound) -> None:
    need(s.U.noun in WRAPS, "thing", f"a {s.U.noun} does not keep warm")
    need(w.troubled(s.A, "cold"), "order", f"{s.A.name} is not cold")
    w.owns(s.B, s.U)
    hand_over(w, s.B, s.A, s.U)
    w.solve("cold", s.A, "")
    w.promises.add(("debt", s.A.name, s.U.noun))
    w.note("wrapped", s.B.name, s.A.name, s.U.noun)


def _warm(w: Scene, s: Bound) -> None:
    w.remember("wrapped", "", s.A.name, "")


def _rain_stops(w: Scene, s: Bound) -> None:
    need(("rain",) in w.promises, "order", "it is not raining")
    w.promises.remove(("rain",))


def _still_there(w: Scene, s: Bound) -> None:
    w.remember("left", "", s.T.noun)
    need(s.T.holder is None, "possession", f"the {s.T.noun} is in somebody's hands")
    need(s.T.place == w.here(), "place", f"the {s.T.noun} is not at the {w.here()}")


def _end_storm(w: Scene, s: Bound) -> None:
    w.remember("wrapped", s.B.name, s.A.name, s.U.noun)
    w.holds(s.B, s.U)
    if s.names("T"):
        w.holds(s.A, s.T)
        w.remember("left", s.A.name, s.T.noun)


def _left_behind(w: Scene, s: Bound) -> None:
    need(s.A.place != s.P, "place", f"{s.A.name} is at the {s.P}")
    s.T.owner, s.T.lying = s.A, s.P
    w.promises.add(("fetch", s.A.name, s.T.noun))


def _dark(w: Scene, s: Bound) -> None:
    waiting = [t for t in w.things.values() if ("fetch", s.A.name, t.noun) in w.promises and t.place == s.P]
    need(bool(waiting), "place", f"nothing of {s.A.name}'s is at the {s.P}")
    w.trouble("dark", s.A, s.P)


def _tell_dark(w: Scene, s: Bound) -> None:
    need(w.troubled(s.A, "dark", s.P if s.names("P") else ""), "mood", f"{s.A.name} was not afraid of that")
    w.accompanied(s.A)


def _shine(w: Scene, s: Bound) -> None:
    w.holds(s.B, s.U)
    need(s.U.noun in LIGHTS, "thing", f"a {s.U.noun} gives no light")
    afraid = [person for person in w.others(s.B) if w.troubled(person, "dark", str(s.B.place))]
    need(bool(afraid), "order", "it is not dark there")
    for person in afraid:
        w.solve("dark", person, str(s.B.place))
        w.favour(s.B, person)
        w.note("shone", s.B.name, person.name, s.U.noun)


def _end_bright(w: Scene, s: Bound) -> None:
    w.remember("shone", s.B.name, s.A.name, s.U.noun)
    w.holds(s.B, s.U)
    if s.names("T"):
        w.holds(s.A, s.T)


OF_THINGS: dict[str, Rule] = {
    "birthday": _birthday, "plan gift": _plan_gift, "wish": _wish, "admire": _admire, "end gave": _end_gave,
    "borrow": _borrow, "agree": _agree, "lend": _lend, "give back": _give_back, "praise": _praise,
    "end back": _end_back,
    "like": _like, "like too": _like_too, "offer": _offer, "swap": _swap, "end swap": _end_swap,
    "see": _see, "wonder": _wonder, "ask whose": _ask_whose, "deny": _deny, "tell where": _tell_where, "claim": _claim,
    "task": _task, "promise": _promise, "deliver": _deliver, "end errand": _end_errand,
    "want to mend": _want_to_mend, "need": _need_tool, "offer help": _offer_help, "mend": _mend, "end mend": _end_mend,
    "clouds": _clouds, "rain": _rain, "flee": _flee, "cold": _cold, "wrap": _wrap, "warm": _warm,
    "rain stops": _rain_stops, "still there": _still_there, "end storm": _end_storm,
    "left behind": _left_behind, "dark": _dark, "tell dark": _tell_dark, "shine": _shine, "end bright": _end_bright,
}  # fmt: skip
