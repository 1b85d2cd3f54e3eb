"""Ways to spoil a story: each returns the spoiled text, or None where it would leave a legal story.

They work on the text and on the reading of single sentences; none knows what the checker's rules are.
"""

import random
import re
from collections.abc import Callable

from linnet.data.world.lexicon import COLOURS, NAMES, PLACES, THINGS, is_girl
from linnet.data.world.reading.patterns import Reading, read
from linnet.data.world.reading.sentences import sentences

Corruption = Callable[[str, random.Random, list[str]], str | None]
WORD = re.compile(r"[A-Za-z]+")
OTHER_GENDER = {"he": "she", "she": "he", "him": "her", "his": "her", "He": "She", "She": "He", "His": "Her"}


def found(words: tuple[str, ...], text: str) -> list[re.Match[str]]:
    """Return the places in the text where one of these words stands."""
    return [match for match in WORD.finditer(text) if match[0] in words]


def put(text: str, match: re.Match[str], word: str) -> str:
    return text[: match.start()] + word + text[match.end() :]


def strange(words: tuple[str, ...], text: str, rng: random.Random) -> str:
    """Return a word of the list that the story does not have."""
    there = set(WORD.findall(text))
    return rng.choice([word for word in words if word not in there])


def unknown_name(text: str, rng: random.Random, vocabulary: list[str]) -> str | None:
    """A name nobody has presented, in place of one that was named before."""
    matches = found(NAMES, text)
    later = [m for i, m in enumerate(matches) if any(m[0] == earlier[0] for earlier in matches[:i])]
    return put(text, rng.choice(later), strange(NAMES, text, rng)) if later else None


def wrong_pronoun(text: str, rng: random.Random, vocabulary: list[str]) -> str | None:
    """He for she or she for he in a story of girls only or of boys only."""
    if len({is_girl(m[0]) for m in found(NAMES, text)}) > 1:
        return None
    matches = found(tuple(OTHER_GENDER), text)
    matches = matches or found(("her", "Her"), text)
    if not matches:
        return None
    match = rng.choice(matches)
    return put(text, match, OTHER_GENDER.get(match[0], "his"))


def other_colour(text: str, rng: random.Random, vocabulary: list[str]) -> str | None:
    """Another colour for a thing that has its colour said elsewhere too."""
    matches = list(re.finditer(rf"\b({'|'.join(COLOURS)}) (\w+)", text))
    twice = [m for m in matches if sum(m[2] == other[2] for other in matches) > 1]
    if not twice:
        return None
    match = rng.choice(twice)
    colour = rng.choice([c for c in COLOURS if c != match[1]])
    return text[: match.start(1)] + colour + text[match.end(1) :]


def other_thing(text: str, rng: random.Random, vocabulary: list[str]) -> str | None:
    """A thing that is not in the story in place of one that is named more than once."""
    matches = found(THINGS, text)
    twice = [m for m in matches if sum(m[0] == other[0] for other in matches) > 1]
    return put(text, rng.choice(twice), strange(THINGS, text, rng)) if twice else None


def other_place(text: str, rng: random.Random, vocabulary: list[str]) -> str | None:
    """Another place where one is named that the story comes back to."""
    matches = found(tuple(PLACES), text)
    twice = [m for m in matches if sum(m[0] == other[0] for other in matches) > 1]
    if not twice:
        return None
    match = rng.choice(twice)
    noun = strange(tuple(PLACES), text, rng)
    spoiled = put(text, match, noun)
    preposition = re.search(rf"\b(in|at|by|on) the {noun}\b", spoiled)
    if preposition and preposition.end() == match.start() + len(noun):  # keep it English: at the mill, in the barn
        right = PLACES[noun].preposition
        spoiled = spoiled[: preposition.start()] + right + spoiled[preposition.end(1) :]
    return spoiled


# What must happen for the rest to be possible, except where a plot can do without it.
NEEDED = {
    "take", "give", "take and give", "carry", "go back", "carry back", "go together", "flee", "lend", "give back",
    "swap", "leave", "miss", "own", "come", "meet", "give full", "wrap", "rain stops", "feed", "count", "hide", "spot",
    "share", "bring back", "bake", "mend", "deny", "task", "shine",
}  # fmt: skip


def readings(text: str) -> list[Reading]:
    return [read(sentence)[0] for sentence in sentences(text)]


def dropped(text: str, rng: random.Random, vocabulary: list[str]) -> str | None:
    """One event left out that the rest depends on."""
    parts, events = sentences(text), [reading.event for reading in readings(text)]
    optional = set()
    if "end share" in events:
        optional = {"go together"}
    if "end swap" in events:
        optional = {"carry"}
    chosen = [i for i, event in enumerate(events) if event in NEEDED - optional]
    i = rng.choice(chosen)
    return " ".join(parts[:i] + parts[i + 1 :])


def cut_end(text: str, rng: random.Random, vocabulary: list[str]) -> str | None:
    """The last sentence left out, or broken off."""
    parts = sentences(text)
    if rng.random() < 0.5:
        return " ".join(parts[:-1])
    words = parts[-1].split()
    return " ".join([*parts[:-1], *words[: rng.randint(1, len(words) - 1)]])


def repeated(text: str, rng: random.Random, vocabulary: list[str]) -> str | None:
    """A sentence said twice."""
    parts = sentences(text)
    i = rng.randrange(len(parts))
    j = rng.randrange(i, len(parts))
    return " ".join([*parts[: j + 1], parts[i], *parts[j + 1 :]])


BEFORE = {
    ("own", "treasure"), ("leave", "miss"), ("miss", "tell lost"), ("find", "take and give"), ("borrow", "agree"),
    ("agree", "lend"), ("take", "carry"), ("see", "take"), ("task", "give"), ("count", "hide"), ("hide", "look"),
    ("hide", "spot"), ("look", "spot"), ("lend", "carry"), ("bake", "bring back"), ("feed", "stroke"),
    ("live", "fear"), ("rain", "flee"), ("wrap", "give back"), ("own", "wrap"), ("carry", "deliver"), ("own", "task"),
    ("give", "mend"), ("give", "admire"), ("share", "left"), ("hungry", "share"), ("go together", "find"),
    ("go", "take"), ("come", "borrow"), ("meet", "ask whose"), ("ask whose", "deny"), ("deny", "tell where"),
    ("tell where", "carry"), ("birthday", "plan gift"), ("offer", "swap"), ("like too", "offer"), ("shine", "find"),
    ("want to bake", "lack"), ("ask for", "give full"), ("comfort", "go together"), ("dark", "tell dark"),
}  # fmt: skip


def exchanged(text: str, rng: random.Random, vocabulary: list[str]) -> str | None:
    """Two neighbouring sentences the wrong way round, of which the second needs the first."""
    parts, events = sentences(text), [reading.event for reading in readings(text)]
    pairs = [i for i in range(len(parts) - 1) if (events[i], events[i + 1]) in BEFORE]
    if not pairs:
        return None
    i = rng.choice(pairs)
    return " ".join([*parts[:i], parts[i + 1], parts[i], *parts[i + 2 :]])


def other_word(text: str, rng: random.Random, vocabulary: list[str]) -> str | None:
    """Any word replaced by any other of the vocabulary, unless the sentence then means the same as before."""
    match = rng.choice(list(WORD.finditer(text)))
    word = rng.choice(vocabulary)
    spoiled = put(text, match, word)
    return None if word == match[0] or meanings(spoiled) == meanings(text) else spoiled


FREE_SLOTS = {"day", "number", "Then"}  # nothing in a story depends on them


def meanings(text: str) -> list[object]:
    """Return what each sentence tells, without the choice of words."""
    return [
        [
            (reading.event, [(slot.name, words) for slot, words in reading.words if slot.name not in FREE_SLOTS])
            for reading in read(sentence)
        ]
        or sentence
        for sentence in sentences(text)
    ]


def exchanged_names(text: str, rng: random.Random, vocabulary: list[str]) -> str | None:
    """Giver and receiver the wrong way round in one sentence."""
    parts = sentences(text)
    chosen = []
    for i, part in enumerate(parts):
        reading = read(part)[0]
        names = found(NAMES, part)
        if reading.event in ("give", "lend", "give back", "take and give", "share", "wrap") and len(names) == 2:
            chosen.append((i, names))
    if not chosen:
        return None
    i, (first, second) = rng.choice(chosen)
    part = parts[i]
    parts[i] = part[: first.start()] + second[0] + part[first.end() : second.start()] + first[0] + part[second.end() :]
    return " ".join(parts)


def exchanged_ending(text: str, rng: random.Random, vocabulary: list[str]) -> str | None:
    """Two people, or two things, the wrong way round in what the ending remembers."""
    *parts, ending = sentences(text)
    for words in (NAMES, THINGS):
        there = found(words, ending)
        if len(there) == 2 and there[0][0] != there[1][0]:
            first, second = there
            spoiled = put(put(ending, second, first[0]), first, second[0])
            return " ".join([*parts, spoiled])
    return None


CORRUPTIONS: dict[str, Corruption] = {
    "unknown name": unknown_name,
    "wrong pronoun": wrong_pronoun,
    "other colour": other_colour,
    "other thing": other_thing,
    "other place": other_place,
    "dropped event": dropped,
    "cut end": cut_end,
    "repeated sentence": repeated,
    "exchanged sentences": exchanged,
    "exchanged names": exchanged_names,
    "exchanged ending": exchanged_ending,
    "other word": other_word,
}
