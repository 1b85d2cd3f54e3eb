"""What the events among people and animals need and change: courage, baking, hide and seek, sharing."""

from linnet.data.world.lexicon import ANIMALS
from linnet.data.world.reading.references import Bound
from linnet.data.world.reading.rules import Rule
from linnet.data.world.reading.scene import Person, Scene, Wrong, need


def _live(w: Scene, s: Bound) -> None:
    need(s.T.noun in ANIMALS, "thing", f"a {s.T.noun} does not live anywhere")
    s.T.lying = s.P


def _fear(w: Scene, s: Bound) -> None:
    need(s.T.noun in ANIMALS, "thing", f"nobody is afraid of a {s.T.noun}")
    w.trouble("fear", s.A, s.T.noun)


def _not_dare(w: Scene, s: Bound) -> None:
    feared = [w.things[t[2]] for t in w.troubles if t[:2] == ("fear", s.A.name)]
    need(any(thing.place == s.P for thing in feared), "place", f"{s.A.name} is afraid of nothing at the {s.P}")
    need(s.A.place != s.P, "place", f"{s.A.name} is at the {s.P} already")


def _tell_fear(w: Scene, s: Bound) -> None:
    need(w.troubled(s.A, "fear", s.T.noun), "mood", f"{s.A.name} is not afraid of the {s.T.noun}")
    w.accompanied(s.A)


def _comfort(w: Scene, s: Bound) -> None:
    w.together(s.A, s.B)
    need(w.troubled(s.A, "fear") or w.troubled(s.A, "dark"), "mood", f"{s.A.name} is not afraid")
    need(not w.troubled(s.B), "mood", f"{s.B.name} is afraid too")
    feared = {t[2] if t[0] == "dark" else w.things[t[2]].place for t in w.troubles if t[0] in ("dark", "fear")}
    need(s.A.place not in feared, "order", f"{s.B.name} has come along already")
    w.note("comforted", s.B.name, s.A.name)
    w.favour(s.B, s.A)


def _stand_there(w: Scene, s: Bound) -> None:
    near_animal(w, s, s.A)
    need(w.troubled(s.A, "fear", s.T.noun), "order", f"{s.A.name} knows the {s.T.noun}")


def near_animal(w: Scene, s: Bound, person: Person) -> None:
    """Need that somebody is where an animal is."""
    need(s.T.noun in ANIMALS, "thing", f"a {s.T.noun} is no animal")
    need(s.T.place is not None and s.T.place == person.place, "place", f"the {s.T.noun} is not at the {person.place}")


def _hold_hands(w: Scene, s: Bound) -> None:
    w.together(s.A, s.B)
    need(w.troubled(s.A), "mood", f"{s.A.name} is not afraid")


def _feed(w: Scene, s: Bound) -> None:
    near_animal(w, s, s.B)
    need(not w.troubled(s.B, "fear"), "mood", f"{s.B.name} is afraid of the {s.T.noun}")
    w.note("fed", s.T.noun)


def _stroke(w: Scene, s: Bound) -> None:
    near_animal(w, s, s.A)
    w.remember("fed", s.T.noun)
    need(w.troubled(s.A, "fear", s.T.noun), "order", f"{s.A.name} was not afraid of the {s.T.noun}")
    w.solve("fear", s.A, s.T.noun)
    w.note("stroked", s.A.name, s.T.noun)


def _gentle(w: Scene, s: Bound) -> None:
    w.remember("stroked", "", s.T.noun)


def _end_brave(w: Scene, s: Bound) -> None:
    w.remember("comforted", s.B.name, s.A.name)
    w.remember("stroked", s.A.name, s.T.noun)
    need(not s.names("P") or s.T.place == s.P, "place", f"the {s.T.noun} is at the {s.T.place}")


def _want_to_bake(w: Scene, s: Bound) -> None:
    w.promises.add(("bake", s.A.name, s.words["food"]))
    w.note("home", s.A.name, w.here())


def _lack(w: Scene, s: Bound) -> None:
    person = s.A if s.names("A") else w.focus()
    need(any(p[:2] == ("bake", person.name) for p in w.promises), "order", f"{person.name} does not bake")
    w.trouble("lack", person, s.words["what"])


def _ask_for(w: Scene, s: Bound) -> None:
    what = s.words["what"]
    need(w.troubled(s.A, "lack", what), "thing", f"{s.A.name} does not need {what}")
    w.accompanied(s.A)
    if s.names("B"):
        w.together(s.A, s.B)
    if s.names("food"):
        need(("bake", s.A.name, s.words["food"]) in w.promises, "thing", f"{s.A.name} bakes no {s.words['food']}")
    w.note("asked for", s.A.name, what)


def _give_full(w: Scene, s: Bound) -> None:
    what = s.words["what"]
    w.together(s.A, s.B)
    w.remember("asked for", s.A.name, what)
    s.T.owner, s.T.holder = s.B, s.A
    w.solve("lack", s.A, what)
    w.favour(s.B, s.A)
    w.promises.add(("debt", s.A.name, s.T.noun))
    w.note("supplied", s.B.name, s.A.name, what)


def _bake(w: Scene, s: Bound) -> None:
    food, what = s.words["food"], s.words["what"]
    need(("bake", s.A.name, food) in w.promises, "thing", f"{s.A.name} bakes no {food}")
    need(w.has("supplied", "", s.A.name, what), "thing", f"{s.A.name} has no {what}")
    need(w.has("home", s.A.name, str(s.A.place)), "place", f"{s.A.name} does not bake at the {s.A.place}")
    w.promises.remove(("bake", s.A.name, food))
    w.note("baked", s.A.name, food)


def _bring_back(w: Scene, s: Bound) -> None:
    w.holds(s.A, s.T)
    need(w.has("baked", s.A.name, s.words["food"]), "thing", f"{s.A.name} has baked no {s.words['food']}")
    w.move(s.A, s.P)


def _taste(w: Scene, s: Bound) -> None:
    bakers = [person for person in w.others(s.B) if w.has("baked", person.name, s.words["food"])]
    need(bool(bakers), "thing", f"nobody brought {s.B.name} a {s.words['food']}")


def _end_bake(w: Scene, s: Bound) -> None:
    need(w.has("baked", s.A.name, s.words["food"]), "thing", f"{s.A.name} has baked no {s.words['food']}")
    w.remember("supplied", s.B.name, s.A.name, s.words.get("what", ""))
    w.together(s.A, s.B)
    if s.names("T"):
        w.holds(s.B, s.T)
    if s.names("P"):
        need(s.A.place == s.P, "place", f"they are at the {s.A.place}")


def _propose(w: Scene, s: Bound) -> None:
    w.accompanied(s.A)
    need(not w.has("game"), "order", "they are playing already")
    w.note("game")


def _count(w: Scene, s: Bound) -> None:
    w.remember("game")
    w.accompanied(s.B)
    need(w.seeker is None, "order", f"{w.seeker} is seeking already")
    first = not w.has("hid", "", "")
    need(first or w.has("turn", s.B.name), "order", f"it is not {s.B.name}'s turn")
    w.seeker = s.B.name


def _hide(w: Scene, s: Bound) -> None:
    need(w.seeker is not None and w.hidden is None, "order", "nobody is seeking, or somebody hides already")
    need(w.seeker != s.A.name, "name", f"{s.A.name} is the one who seeks")
    w.together(s.A, w.people[str(w.seeker)])
    w.hidden = (s.A.name, s.words["spot"])


def seek(w: Scene, s: Bound) -> tuple[str, str]:
    """Need that B seeks somebody (A, if named), and return who is hidden and where."""
    need(w.seeker == s.B.name, "name", f"{w.seeker} is seeking, not {s.B.name}")
    if w.hidden is None:
        raise Wrong("order", "nobody is hiding")
    need(not s.names("A") or w.hidden[0] == s.A.name, "name", f"{w.hidden[0]} is hiding")
    return w.hidden


def _look(w: Scene, s: Bound) -> None:
    need(seek(w, s)[1] != s.words["spot"], "place", f"somebody is {s.words['spot']}")


def _spot(w: Scene, s: Bound) -> None:
    name, place = seek(w, s)
    need(place == s.words["spot"], "place", f"{name} is {place}")
    w.note("hid", name, place)
    w.note("sought", s.B.name)
    w.seeker = w.hidden = None
    w.glad |= {name, s.B.name}


def _turn(w: Scene, s: Bound) -> None:
    w.remember("hid", s.A.name, "")
    need(not s.names("B") or w.has("sought", s.B.name), "name", "who sought says that")
    need(not w.has("sought", s.A.name), "order", f"{s.A.name} has sought already")
    w.note("turn", s.A.name)


def _end_hide(w: Scene, s: Bound) -> None:
    if s.names("spot"):
        w.remember("hid", s.A.name, s.words["spot"])
    w.remember("hid", s.A.name, "")
    w.remember("hid", s.B.name, s.words["other"])


def _have_some(w: Scene, s: Bound) -> None:
    number, fruit = s.many()
    need(fruit not in s.A.counts, "thing", f"{s.A.name} has {fruit}s already")
    s.A.counts[fruit] = number


def _hungry(w: Scene, s: Bound) -> None:
    w.accompanied(s.B)
    w.trouble("hunger", s.B)


def _share(w: Scene, s: Bound) -> None:
    number, fruit = s.many()
    need(w.troubled(s.B, "hunger"), "order", f"{s.B.name} is not hungry")
    w.together(s.A, s.B)
    take_away(s.A, number, fruit)
    s.B.counts[fruit] = s.B.counts.get(fruit, 0) + number
    w.favour(s.A, s.B)
    w.note("shared", s.A.name, s.B.name, s.words["many"])


def take_away(person: Person, number: int, fruit: str) -> None:
    """Take fruits from somebody who has enough."""
    have = person.counts.get(fruit, 0)
    need(have > 0, "thing", f"{person.name} has no {fruit}")
    need(have >= number, "number", f"{person.name} has {have} {fruit}s, not {number}")
    person.counts[fruit] = have - number


def _left(w: Scene, s: Bound) -> None:
    still_has(s, s.A, "many")


def still_has(s: Bound, person: Person, slot: str) -> None:
    """Need that somebody has just so many fruits."""
    number, fruit = s.many(slot)
    have = person.counts.get(fruit, 0)
    need(have > 0, "thing", f"{person.name} has no {fruit}")
    need(have == number, "number", f"{person.name} has {have} {fruit}s, not {number}")


def _eat(w: Scene, s: Bound) -> None:
    number, fruit = s.many()
    need(w.troubled(s.A, "hunger"), "order", f"{s.A.name} is not hungry")
    take_away(s.A, number, fruit)
    w.solve("hunger", s.A, "")


def _end_share(w: Scene, s: Bound) -> None:
    w.remember("shared", s.A.name, s.B.name, s.words.get("given", ""))
    if s.names("many"):
        still_has(s, s.A, "many")
    if s.names("more"):
        still_has(s, s.B, "more")


OF_PEOPLE: dict[str, Rule] = {
    "live": _live, "fear": _fear, "not dare": _not_dare, "tell fear": _tell_fear, "comfort": _comfort,
    "stand there": _stand_there, "hold hands": _hold_hands, "feed": _feed, "stroke": _stroke, "gentle": _gentle,
    "end brave": _end_brave,
    "want to bake": _want_to_bake, "lack": _lack, "ask for": _ask_for, "give full": _give_full, "bake": _bake,
    "bring back": _bring_back, "taste": _taste, "end bake": _end_bake,
    "propose": _propose, "count": _count, "hide": _hide, "look": _look, "spot": _spot, "turn": _turn,
    "end hide": _end_hide,
    "have some": _have_some, "hungry": _hungry, "share": _share, "left": _left, "eat": _eat, "end share": _end_share,
}  # fmt: skip
