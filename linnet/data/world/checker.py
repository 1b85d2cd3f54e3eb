"""The checker: reads a story as a stranger would, and says where it is not English or not consistent.

It sees the text only. Each sentence is matched to the phrase book and replayed on a scene: people must be presented
before they act, a pronoun must fit somebody of the sentence before, a thing keeps its colour, only what is there can be
taken and only what is held can be given, an ending may only remember what happened, and nothing is left open.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from linnet.data.world.phrases import PHRASES, is_ending, is_opening
from linnet.data.world.reading.patterns import Reading, read
from linnet.data.world.reading.references import bind
from linnet.data.world.reading.rules import EVERYDAY, Rule
from linnet.data.world.reading.rules_of_people import OF_PEOPLE
from linnet.data.world.reading.rules_of_things import OF_THINGS
from linnet.data.world.reading.scene import Scene, Wrong
from linnet.data.world.reading.sentences import sentences

CATEGORIES: dict[str, str] = {
    "grammar": "a sentence that is not in the grammar of the small world",
    "name": "a name that was never presented, was presented twice, or cannot be meant here",
    "pronoun": "he, she, it or they without somebody or something that fits",
    "thing": "a thing that is not in the story, has another colour, or cannot be used so",
    "possession": "somebody gives, carries or has what they do not hold or own",
    "place": "somebody or something is elsewhere",
    "mood": "sad, happy or afraid without a reason",
    "number": "a count that is not right",
    "memory": "something is remembered or thanked for that did not happen",
    "order": "too early, too late or twice",
    "repeat": "a sentence that was said before in the same words",
    "unfinished": "the story has no ending, or leaves something open",
}
RULES: dict[str, Rule] = {**EVERYDAY, **OF_THINGS, **OF_PEOPLE}
LONGEST = 20_000  # characters read; a longer text is no story


class Problem(NamedTuple):
    """What is wrong with a story, in which sentence, and why."""

    category: str
    sentence: str
    reason: str


class Verdict(NamedTuple):
    """What the checker says of a story."""

    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def check_story(text: str) -> Verdict:
    """Return the problems of a story in the order they are met; none means that it is grammatical and consistent."""
    if len(text) > LONGEST:
        return Verdict((Problem("grammar", text[:80], f"{len(text):,} characters are no story"),))
    scene = Scene()
    problems: list[Problem] = []
    told: set[str] = set()
    event = ""
    for number, sentence in enumerate(sentences(text)):
        try:
            if sentence in told:
                raise Wrong("repeat", "the same words as before")
            told.add(sentence)
            if is_ending(event):
                raise Wrong("order", "the story goes on after its end")
            reading = understand(sentence)
            event = reading.event
            replay(reading, scene, first=number == 0)
        except Wrong as wrong:
            problems.append(Problem(wrong.category, sentence, wrong.reason))
    if not is_ending(event):
        problems.append(Problem("unfinished", sentence if told else "", "the story breaks off"))
    return Verdict(tuple(problems))


def understand(sentence: str) -> Reading:
    """Return the event that a sentence tells; raises Wrong for one that is not in the grammar."""
    readings = read(sentence)
    if not readings:
        raise Wrong("grammar", "not a sentence of the small world")
    return readings[0]


def replay(reading: Reading, scene: Scene, first: bool) -> None:
    """Let an event happen on the scene; raises Wrong when it cannot."""
    if is_opening(reading.event) != first:
        raise Wrong("order", "a story opens once, at its beginning")
    RULES[reading.event](scene, bind(reading, scene))
    if is_ending(reading.event) and scene.troubles | scene.promises:
        still_open = sorted(" ".join(fact) for fact in scene.troubles | scene.promises)
        raise Wrong("unfinished", f"still open: {', '.join(still_open)}")


class Tally(NamedTuple):
    """How many stories were checked, how many are consistent, and how many have each kind of problem first."""

    stories: int
    consistent: int
    first_problems: dict[str, int]

    @property
    def share(self) -> float:
        """The share of consistent stories, 0 to 1; 0 when there were none."""
        return self.consistent / self.stories if self.stories else 0.0


def check_stories(texts: Iterable[str]) -> Tally:
    """Check many stories and count."""
    verdicts = [check_story(text) for text in texts]
    first = Counter(verdict.problems[0].category for verdict in verdicts if verdict.problems)
    return Tally(len(verdicts), sum(verdict.ok for verdict in verdicts), dict(first.most_common()))


assert RULES.keys() == PHRASES.keys()
