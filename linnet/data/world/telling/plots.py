"""The plots about a thing: lost and found, given, lent, swapped, returned to its owner, carried far."""

from linnet.data.world.lexicon import COLOURS, KEEPSAKES, NAMES, PLACES
from linnet.data.world.telling.teller import Teller, Thing

ANYWHERE = tuple(PLACES)


def lost(tell: Teller, a: str, noun: str, p: str) -> None:
    """A forgets a thing somewhere; B asks why A is sad, and finds it."""
    b, q = tell.pick(NAMES, a), tell.pick(ANYWHERE, p)
    thing = Thing(noun, tell.pick(COLOURS))
    tell.say("open", A=a, P=p)
    tell.say("own", A=a, T=thing)
    tell.maybe(0.6, "treasure", A=a, T=thing)
    tell.say(tell.pick(("go", "carry")), A=a, P=q, T=thing)
    tell.say("leave", A=a, T=thing, P=q)
    home = tell.pick((p, tell.pick(ANYWHERE, p, q)))
    tell.say("go back" if home == p else "go", A=a, P=home)
    tell.say("miss", A=a, T=thing)
    tell.maybe(0.6, "sad", A=a)
    tell.say("come", A=a, B=b)
    tell.say("ask what is wrong", A=a, B=b)
    tell.say("tell lost", A=a, T=thing)
    if tell.rng.random() < 0.3:
        wrong = tell.pick(ANYWHERE, q, home)
        tell.say("go together", A=a, B=b, P=wrong)
        tell.say("not there", T=thing)
    tell.say("suggest", B=b, P=q)
    tell.say("go together", A=a, B=b, P=q)
    tell.say("find", B=b, T=thing)
    tell.say("take and give", A=b, B=a, T=thing)
    tell.maybe(0.5, "thank", A=a, B=b)
    tell.maybe(0.5, "happy again", A=a)
    tell.say("end found", A=a, B=b, T=thing, P=q)


def gift(tell: Teller, a: str, noun: str, p: str) -> None:
    """It is B's birthday: A brings a thing as a present."""
    b, q = tell.pick(NAMES, a), tell.pick(ANYWHERE, p)
    thing = Thing(noun, tell.pick(COLOURS))
    tell.say("open", A=a, P=p)
    tell.say("own", A=a, T=thing)
    tell.maybe(0.4, "treasure", A=a, T=thing)
    tell.say("birthday", B=b)
    tell.say("plan gift", A=a, B=b, T=thing)
    if tell.rng.random() < 0.4:
        middle = tell.pick(ANYWHERE, p, q)
        tell.say("carry", A=a, T=thing, P=middle)
        tell.say("rest", A=a)
    tell.say("carry", A=a, T=thing, P=q)
    tell.say("is at", B=b, P=q)
    tell.maybe(0.7, "wish", A=a, B=b)
    tell.say("give", A=a, B=b, T=thing)
    tell.maybe(0.7, "admire", B=b, T=thing)
    tell.maybe(0.6, "thank", A=b, B=a)
    tell.maybe(0.5, "happy", A=b)
    tell.maybe(0.5, "play", A=b, T=thing)
    tell.say("end gave", A=a, B=b, T=thing)


def lend(tell: Teller, a: str, noun: str, p: str) -> None:
    """B borrows a thing of A's, has fun with it elsewhere, and brings it back."""
    b, q = tell.pick(NAMES, a), tell.pick(ANYWHERE, p)
    thing = Thing(noun, tell.pick(COLOURS))
    tell.say("open", A=a, P=p)
    tell.say("own", A=a, T=thing)
    tell.maybe(0.5, "treasure", A=a, T=thing)
    tell.say("come", A=a, B=b)
    tell.say("borrow", B=b, T=thing)
    tell.say("agree", A=a)
    tell.say("lend", A=a, B=b, T=thing)
    tell.maybe(0.4, "thank", A=b, B=a)
    tell.say("carry", A=b, T=thing, P=q)
    tell.say("play", A=b, T=thing)
    tell.maybe(0.5, "late")
    tell.say(tell.pick(("go back", "carry back")), A=b, P=p, T=thing)
    tell.maybe(0.4, "is at", B=a, P=p)
    tell.say("give back", A=a, B=b, T=thing)
    tell.maybe(0.6, "praise", A=a, B=b)
    tell.maybe(0.4, "happy", A=a)
    tell.say("end back", A=a, B=b, T=thing)


def swap(tell: Teller, a: str, noun: str, p: str) -> None:
    """A and B each like the other's thing, and swap."""
    b, q = tell.pick(NAMES, a), tell.pick(ANYWHERE, p)
    thing = Thing(noun, tell.pick(COLOURS))
    other = Thing(tell.pick(KEEPSAKES, noun), tell.pick(COLOURS, thing.colour))
    tell.say("open", A=a, P=p)
    tell.say("own", A=a, T=thing)
    tell.maybe(0.4, "treasure", A=a, T=thing)
    tell.say("come", A=a, B=b)
    tell.say("own", A=b, T=other)
    tell.maybe(0.4, "treasure", A=b, T=other)
    tell.say("like", A=a, U=other)
    tell.say("like too", B=b, T=thing)
    tell.say("offer", A=tell.pick((a, b)))
    tell.say("swap", A=a, B=b, T=thing, U=other)
    tell.maybe(0.4, "happy", A=tell.pick((a, b)))
    tell.say("carry", A=a, T=other, P=q)
    tell.say("play", A=a, T=other)
    tell.maybe(0.5, "play", A=b, T=thing)
    tell.maybe(0.5, "late")
    tell.say("end swap", A=a, B=b, T=thing, U=other)


def whose(tell: Teller, a: str, noun: str, p: str) -> None:
    """A finds a thing; B knows that it is C's; A brings it to C."""
    b = tell.pick(NAMES, a)
    c = tell.pick(NAMES, a, b)
    q = tell.pick(ANYWHERE, p)
    r = tell.pick(ANYWHERE, p, q)
    thing = Thing(noun, tell.pick(COLOURS))
    tell.say("open", A=a, P=p)
    tell.say("see", A=a, T=thing)
    tell.say("take", A=a, T=thing)
    tell.maybe(0.6, "wonder", A=a, T=thing)
    tell.say("carry", A=a, T=thing, P=q)
    tell.say("meet", A=a, B=b)
    tell.say("ask whose", A=a, T=thing)
    tell.say("deny", B=b, C=c, T=thing)
    tell.say("tell where", B=b, C=c, P=r)
    tell.maybe(0.4, "thank", A=a, B=b)
    tell.say("carry", A=a, T=thing, P=r)
    tell.maybe(0.5, "is at", B=c, P=r)
    tell.say("claim", C=c, T=thing)
    tell.say("give", A=a, B=c, T=thing)
    tell.maybe(0.5, "thank", A=c, B=a)
    tell.maybe(0.5, "happy", A=c)
    tell.say("end found", A=c, B=a, T=thing, P=p)


def errand(tell: Teller, a: str, noun: str, p: str) -> None:
    """B asks A to bring a thing to C, far away."""
    b = tell.pick(NAMES, a)
    c = tell.pick(NAMES, a, b)
    q = tell.pick(ANYWHERE, p)
    r = tell.pick(ANYWHERE, p, q)
    thing = Thing(noun, tell.pick(COLOURS))
    tell.say("open two", A=a, B=b, P=p)
    tell.say("own", A=b, T=thing)
    tell.say("task", B=b, C=c, T=thing)
    tell.say("tell where", B=b, C=c, P=r)
    tell.say("promise", A=a)
    tell.say("give", A=b, B=a, T=thing)
    tell.say("carry", A=a, T=thing, P=q)
    tell.say("rest", A=a)
    tell.say("carry", A=a, T=thing, P=r)
    tell.maybe(0.6, "is at", B=c, P=r)
    tell.say("deliver", A=a, B=b, T=thing)
    tell.say("give", A=a, B=c, T=thing)
    tell.maybe(0.6, "thank", A=c, B=a)
    tell.maybe(0.5, "happy", A=c)
    tell.say("end errand", A=a, B=b, C=c, T=thing, P=p, Q=r)
