"""The plots about people: fear and courage, baking, hide and seek, a storm, mending, sharing."""

from linnet.data.world.lexicon import (
    COLOURS,
    CONTAINERS,
    COUNTED_TO,
    DARK_PLACES,
    FRIGHTENING_PLACES,
    FUR,
    INDOORS,
    INGREDIENTS,
    LIGHTS,
    LIQUIDS,
    NAMES,
    PLACES,
    REPAIRS,
    SPOTS,
    VESSELS,
    WRAPS,
)
from linnet.data.world.telling.teller import Many, Teller, Thing

ANYWHERE = tuple(PLACES)


def animal(tell: Teller, a: str, noun: str, p: str) -> None:
    """A is afraid of an animal; B comes along, and A strokes it."""
    b, q = tell.pick(NAMES, a), tell.pick(FRIGHTENING_PLACES, p)
    beast = Thing(noun, tell.pick(FUR))
    tell.say("open", A=a, P=p)
    tell.say("live", T=beast, P=q)
    tell.say("fear", A=a, T=beast)
    tell.say("not dare", A=a, P=q)
    tell.say("come", A=a, B=b)
    tell.maybe(0.5, "ask what is wrong", A=a, B=b)
    tell.say("tell fear", A=a, T=beast)
    tell.say("comfort", A=a, B=b)
    tell.say("go together", A=a, B=b, P=q)
    tell.say("stand there", A=a, T=beast)
    tell.maybe(0.6, "hold hands", A=a, B=b)
    tell.say("feed", B=b, T=beast)
    tell.say("stroke", A=a, T=beast)
    tell.maybe(0.7, "gentle", T=beast)
    tell.maybe(0.4, "thank", A=a, B=b)
    tell.maybe(0.4, "happy", A=a)
    tell.say("end brave", A=a, B=b, T=beast, P=q)


def dark(tell: Teller, a: str, noun: str, p: str) -> None:
    """A thing of A's is in the dark; B comes with a light."""
    b, q = tell.pick(NAMES, a), tell.pick(DARK_PLACES, p)
    thing = Thing(noun, tell.pick(COLOURS))
    light = Thing(tell.pick(LIGHTS, noun), tell.pick(COLOURS, thing.colour))
    tell.say("open", A=a, P=p)
    tell.say("left behind", A=a, T=thing, P=q)
    tell.say("dark", A=a, P=q)
    tell.maybe(0.5, "sad", A=a)
    tell.say("come", A=a, B=b)
    tell.say("own", A=b, T=light)
    tell.maybe(0.5, "ask what is wrong", A=a, B=b)
    tell.say("tell dark", A=a, P=q)
    tell.say("comfort", A=a, B=b)
    tell.say("go together", A=a, B=b, P=q)
    tell.maybe(0.4, "hold hands", A=a, B=b)
    tell.say("shine", B=b, U=light)
    tell.say("find", B=a, T=thing)
    tell.say("take", A=a, T=thing)
    tell.maybe(0.5, "thank", A=a, B=b)
    tell.maybe(0.5, "happy", A=a)
    tell.say("end bright", A=a, B=b, T=thing, U=light)


def bake(tell: Teller, a: str, noun: str, p: str) -> None:
    """A wants to bake; B gives what is missing, in a thing that A brings back with a share of the cake."""
    b, q = tell.pick(NAMES, a), tell.pick(ANYWHERE, p)
    what = tell.pick(INGREDIENTS)
    thing = Thing(tell.pick(VESSELS if what in LIQUIDS else CONTAINERS), tell.pick(COLOURS))
    tell.say("open", A=a, P=p)
    tell.say("want to bake", A=a, food=noun)
    tell.say("lack", A=a, what=what)
    tell.say("go", A=a, P=q)
    tell.say("meet", A=a, B=b)
    tell.say("ask for", A=a, B=b, what=what, food=noun)
    tell.say("give full", A=a, B=b, T=thing, what=what)
    tell.maybe(0.5, "thank", A=a, B=b)
    tell.say(tell.pick(("go back", "carry back")), A=a, P=p, T=thing)
    tell.say("bake", A=a, food=noun, what=what)
    tell.maybe(0.4, "happy", A=a)
    tell.say("bring back", A=a, T=thing, food=noun, P=q)
    tell.maybe(0.4, "is at", B=b, P=q)
    tell.say("give back", A=b, B=a, T=thing)
    tell.maybe(0.8, "taste", B=b, food=noun)
    tell.say("end bake", A=a, B=b, T=thing, what=what, food=noun, P=q)


def hide(tell: Teller, a: str, noun: str, p: str) -> None:
    """A and B play hide and seek, each hiding once; `noun` is where A hides."""
    b = tell.pick(NAMES, a)
    tell.say("open two", A=a, B=b, P=p)
    tell.say("propose", A=tell.pick((a, b)))
    spots = (noun, tell.pick(SPOTS, noun))
    for hider, seeker, spot in ((a, b, spots[0]), (b, a, spots[1])):
        tell.say("count", B=seeker, number=tell.pick(COUNTED_TO))
        tell.say("hide", A=hider, spot=spot)
        tell.maybe(0.7, "look", A=hider, B=seeker, spot=tell.pick(SPOTS, *spots))
        tell.say("spot", A=hider, B=seeker, spot=spot)
        tell.maybe(0.5, "happy", A=tell.pick((hider, seeker)))
        if hider == a:
            tell.say("turn", A=hider, B=seeker)
    tell.maybe(0.5, "late")
    tell.say("end hide", A=a, B=b, spot=spots[0], other=spots[1])


def storm(tell: Teller, a: str, noun: str, p: str) -> None:
    """A flees from a storm and leaves a thing behind; B keeps A warm until the rain stops."""
    b, q = tell.pick(NAMES, a), tell.pick(INDOORS, p)
    thing = Thing(noun, tell.pick(COLOURS))
    wrap = Thing(tell.pick(WRAPS, noun), tell.pick(COLOURS, thing.colour))
    tell.say("open", A=a, P=p)
    tell.say("own", A=a, T=thing)
    tell.maybe(0.4, "treasure", A=a, T=thing)
    tell.maybe(0.6, "clouds", P=p)
    tell.say("rain")
    tell.say("flee", A=a, T=thing, P=q)
    tell.maybe(0.7, "cold", A=a)
    tell.say("meet", A=a, B=b)
    tell.say("own", A=b, T=wrap)
    tell.say("wrap", A=a, B=b, U=wrap)
    tell.maybe(0.6, "warm", A=a)
    tell.say("rain stops")
    tell.say("give back", A=b, B=a, T=wrap)
    tell.maybe(0.6, "thank", A=a, B=b)
    tell.say("go back", A=a, P=p)
    tell.maybe(0.5, "still there", T=thing)
    tell.say("take", A=a, T=thing)
    tell.maybe(0.5, "happy", A=a)
    tell.say("end storm", A=a, B=b, T=thing, U=wrap)


def tool(tell: Teller, a: str, noun: str, p: str) -> None:
    """B cannot mend something without a tool; A fetches it from where it is."""
    b, q = tell.pick(NAMES, a), tell.pick(ANYWHERE, p)
    thing, repair = Thing(noun, tell.pick(COLOURS)), tell.pick(REPAIRS)
    tell.say("open two", A=a, B=b, P=p)
    tell.say("want to mend", B=b, repair=repair)
    tell.say("need", B=b, T=thing, P=q)
    tell.say("offer help", A=a, B=b)
    tell.say("go", A=a, P=q)
    tell.maybe(0.5, "find", B=a, T=thing)
    tell.say("take", A=a, T=thing)
    tell.maybe(0.3, "rest", A=a)
    tell.say(tell.pick(("go back", "carry back")), A=a, P=p, T=thing)
    tell.maybe(0.3, "is at", B=b, P=p)
    tell.say("give", A=a, B=b, T=thing)
    tell.maybe(0.5, "thank", A=b, B=a)
    tell.say("mend", B=b, T=thing, repair=repair)
    tell.maybe(0.5, "happy", A=b)
    tell.say("end mend", A=a, B=b, T=thing, repair=repair, P=q)


def share(tell: Teller, a: str, noun: str, p: str) -> None:
    """A has some fruits and gives B some of them; `noun` is the fruit."""
    b, q = tell.pick(NAMES, a), tell.pick(ANYWHERE, p)
    have = tell.rng.randint(4, 10)
    given = tell.rng.randint(2, have - 2)
    kept = have - given
    tell.say("open", A=a, P=p)
    tell.say("have some", A=a, many=Many(have, noun))
    if tell.rng.random() < 0.5:
        tell.say("go", A=a, P=q)
        tell.say("meet", A=a, B=b)
    else:
        tell.say("come", A=a, B=b)
    tell.say("hungry", B=b)
    tell.say("share", A=a, B=b, many=Many(given, noun))
    tell.maybe(0.7, "thank", A=b, B=a)
    tell.say("left", A=a, many=Many(kept, noun))
    tell.say("go together", A=a, B=b, P=tell.pick(ANYWHERE, p, q))
    tell.maybe(0.5, "rest", A=tell.pick((a, b)))
    eaten = tell.rng.randint(1, given - 1)
    tell.say("eat", A=b, many=Many(eaten, noun))
    tell.maybe(0.5, "happy", A=b)
    tell.maybe(0.5, "late")
    more = Many(given - eaten, noun)
    tell.say("end share", A=a, B=b, many=Many(kept, noun), more=more, given=Many(given, noun))
