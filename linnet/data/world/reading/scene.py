"""The scene a reader pictures: people and things where the story says they are, what happened, what is still open."""

from dataclasses import dataclass, field

from linnet.data.world.lexicon import is_girl


class Wrong(Exception):
    """A sentence that cannot be true here: its category and the reason."""

    def __init__(self, category: str, reason: str):
        super().__init__(reason)
        self.category = category
        self.reason = reason


@dataclass(eq=False)
class Person:
    """Somebody of the story."""

    name: str
    place: str | None = None
    visited: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def girl(self) -> bool:
        """Whether this person is called she."""
        return is_girl(self.name)

    def enter(self, place: str) -> None:
        """Be at a place from now on."""
        self.place = place
        self.visited.add(place)


@dataclass(eq=False)
class Thing:
    """A thing or an animal of the story; it is with its holder, or lies at `lying`."""

    noun: str
    colour: str
    owner: Person | None = None
    holder: Person | None = None
    lying: str | None = None

    @property
    def place(self) -> str | None:
        """Where it is."""
        return self.holder.place if self.holder else self.lying


def need(condition: bool, category: str, reason: str) -> None:
    """Raise Wrong unless the condition holds."""
    if not condition:
        raise Wrong(category, reason)


@dataclass
class Scene:
    """All that is true after the sentences read so far."""

    people: dict[str, Person] = field(default_factory=dict)
    things: dict[str, Thing] = field(default_factory=dict)
    named: list[Person] = field(default_factory=list)  # in the last sentence that named somebody
    before: list[Person] = field(default_factory=list)  # what `named` was when the present sentence began
    named_things: list[Thing] = field(default_factory=list)
    happened: set[tuple[str, ...]] = field(default_factory=set)  # ("gave", "Tom", "Mira", "kite")
    troubles: set[tuple[str, ...]] = field(default_factory=set)  # ("lost", "Mira", "kite")
    promises: set[tuple[str, ...]] = field(default_factory=set)  # what the story must still tell
    glad: set[str] = field(default_factory=set)
    seeker: str | None = None
    hidden: tuple[str, str] | None = None

    def focus(self) -> Person:
        """Return whom the last sentence was about."""
        need(bool(self.named), "order", "nobody has been named yet")
        return self.named[0]

    def here(self) -> str:
        """Return where the last sentence was."""
        place = self.focus().place
        if place is None:
            raise Wrong("place", f"nobody said where {self.focus().name} is")
        return place

    def others(self, person: Person) -> list[Person]:
        """Return who else is where this person is."""
        return [p for p in self.people.values() if p is not person and p.place == person.place and p.place]

    def note(self, *fact: str) -> None:
        """Remember that something happened."""
        self.happened.add(fact)

    def has(self, *fact: str) -> bool:
        """Say whether something happened; an empty word stands for anything."""
        known = (f for f in self.happened if len(f) == len(fact))
        return any(all(asked in ("", word) for word, asked in zip(f, fact, strict=True)) for f in known)

    def remember(self, *fact: str) -> None:
        """Need that something happened."""
        need(self.has(*fact), "memory", f"this did not happen: {' '.join(word or '...' for word in fact)}")

    def together(self, *people: Person) -> None:
        """Need that people are at one place."""
        first = people[0]
        for other in people[1:]:
            need(
                first.place is not None and first.place == other.place,
                "place",
                f"{first.name} and {other.name} are not at one place ({first.place}, {other.place})",
            )

    def accompanied(self, person: Person) -> list[Person]:
        """Need that somebody else is there, and return who."""
        found = self.others(person)
        need(bool(found), "place", f"nobody is there with {person.name}")
        return found

    def move(self, person: Person, place: str) -> None:
        """Let somebody go to another place; what is held comes along."""
        need(person.place is not None, "place", f"nobody said where {person.name} is")
        need(person.place != place, "place", f"{person.name} is already at the {place}")
        need(("rain",) not in self.promises, "order", f"{person.name} goes out while it is raining")
        person.enter(place)

    def holds(self, person: Person, thing: Thing) -> None:
        """Need that somebody holds a thing."""
        holder = thing.holder.name if thing.holder else "nobody"
        need(thing.holder is person, "possession", f"{holder} holds the {thing.noun}, not {person.name}")

    def owns(self, person: Person, thing: Thing) -> None:
        """Need that a thing is somebody's own."""
        need(thing.owner is person, "possession", f"the {thing.noun} is not {person.name}'s")

    def hold(self, person: Person, thing: Thing) -> None:
        """Put a thing into somebody's hands; promises about that are kept now."""
        thing.holder, thing.lying = person, None
        for kind in ("gift", "errand", "fetch"):
            self.promises.discard((kind, person.name, thing.noun))
        self.solve("lost", person, thing.noun)
        if thing.owner is person:
            self.promises = {p for p in self.promises if not (p[0] == "debt" and p[2] == thing.noun)}

    def trouble(self, kind: str, person: Person, about: str = "") -> None:
        """Give somebody a reason to be sad."""
        self.troubles.add((kind, person.name, about))
        self.note("trouble", person.name)

    def troubled(self, person: Person, kind: str = "", about: str = "") -> bool:
        """Say whether somebody is in trouble."""
        return any(t[1] == person.name and kind in ("", t[0]) and about in ("", t[2]) for t in self.troubles)

    def solve(self, kind: str, person: Person, about: str) -> None:
        """End somebody's trouble, which makes them glad."""
        if (kind, person.name, about) in self.troubles:
            self.troubles.remove((kind, person.name, about))
            self.glad.add(person.name)

    def favour(self, giver: Person, receiver: Person) -> None:
        """Remember a reason to say thank you."""
        self.note("favour", giver.name, receiver.name)
        self.glad.add(receiver.name)
