"""Test-time compute: many tries at a problem, and the rules that choose one of them; pure functions, and one sampler.

Ties are broken for what was said first. A try whose answer cannot be read has no vote, and is chosen only when all are
so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from linnet.infer.candidates import Candidate, candidates
from linnet.infer.config import SamplingConfig
from linnet.infer.verifier import Verifier
from linnet.model.decoder import Decoder
from linnet.tasks.task import Example, Task
from linnet.text.tokenizer import Tokenizer

SAMPLED_AT_ONCE = 256  # rows that are written at once: tries of one problem share its prompt's prefill


@dataclass(frozen=True)
class Try:
    """An answer to a problem as it was read ("" for none), whether it is right, its score, and the tokens written.

    `sound` says that each calculation in it gives what it says, as far as a calculator can tell.
    """

    said: str
    right: bool
    tokens: int
    score: float = 0.5
    sound: bool = True


Rule = Callable[[Sequence[Try]], int]  # tries -> the place of the chosen one


def first(tries: Sequence[Try]) -> int:
    """Choose the first try: no search at all."""
    return 0


def majority(tries: Sequence[Try]) -> int:
    """Choose the answer that is said most often (self-consistency, Wang et al. 2022, arXiv 2203.11171)."""
    return _voted(tries, [1.0] * len(tries))


def checked(tries: Sequence[Try]) -> int:
    """Choose the answer that is said most often among tries that calculate rightly; among all where none does.

    A calculator knows no answers: it only throws out what contradicts itself (as programs check themselves in Gou et
    al. 2023, arXiv 2305.11738).
    """
    sound = [place for place, one in enumerate(tries) if one.said and one.sound]
    return sound[majority([tries[place] for place in sound])] if sound else majority(tries)


def best(tries: Sequence[Try]) -> int:
    """Choose the try with the highest score (best of n by a verifier, Cobbe et al. 2021, arXiv 2110.14168)."""
    return max(_readable(tries), key=lambda place: tries[place].score)


def weighted(tries: Sequence[Try]) -> int:
    """Choose the answer with the largest sum of scores (verifier-weighted vote, Li et al. 2022, arXiv 2206.02336)."""
    return _voted(tries, [one.score for one in tries])


RULES: dict[str, Rule] = {
    "majority": majority, "checked vote": checked, "best of n": best, "weighted vote": weighted
}  # fmt: skip
SCORED = {"best of n", "weighted vote"}  # ask for a verifier


def surest(tries: Sequence[Try]) -> float:
    """Return how sure the verifier is of the best try; 0 where no answer can be read."""
    return max((one.score for one in tries if one.said), default=0.0)


def needed(tries: Sequence[Try], threshold: float) -> int:
    """Return how many tries are made, one after the other, until the verifier is sure of one, or all are made."""
    return next((n for n in range(1, len(tries)) if surest(tries[:n]) >= threshold), len(tries))


Ask = Callable[[Sequence[int], int, int], Sequence[Sequence[Try]]]  # (problems, tries of each, round) -> new tries


def sample(
    ask: Ask,
    problems: int,
    most: int,
    at_first: int | None = None,
    threshold: float | None = None,
    tokens: int | None = None,
) -> list[list[Try]]:
    """Return the tries at each problem: `most` of them, or as many as are needed.

    With a threshold every problem gets `at_first` tries, and where the verifier is less sure than that as many again,
    and so on (threshold-gated resampling). `tokens` is the budget of a problem: once it is spent no more are asked.
    """
    found: list[list[Try]] = [[] for _ in range(problems)]
    open_ones, number = list(range(problems)), 0
    count = most if threshold is None and tokens is None else min(most, at_first or 1)
    while open_ones:
        for place, tries in zip(open_ones, ask(open_ones, count, number), strict=True):
            found[place] += tries
        open_ones = [
            place
            for place in open_ones
            if len(found[place]) < most
            and (threshold is None or surest(found[place]) < threshold)
            and (tokens is None or sum(one.tokens for one in found[place]) < tokens)
        ]
        made = max((len(found[place]) for place in open_ones), default=0)
        count, number = min(made, most - made), number + 1
    return found


class Asker:
    """Asks a model for tries at the problems of a task, graded, and scored where there is a verifier."""

    def __init__(
        self,
        model: Decoder,
        tokenizer: Tokenizer,
        task: Task,
        examples: Sequence[Example],
        sampling: SamplingConfig,
        verifier: Verifier | None = None,
    ):
        self.model, self.tokenizer, self.task, self.examples = model, tokenizer, task, list(examples)
        self.sampling, self.verifier = sampling, verifier
        self.replies: list[list[Candidate]] = [[] for _ in self.examples]

    def __call__(self, problems: Sequence[int], count: int, number: int) -> list[list[Try]]:
        """Return `count` new tries at each problem; what they say follows from the seed, `number` and the problem."""
        asked = [self.examples[place] for place in problems]
        sampling = self.sampling.but(seed=(self.sampling.seed + number) % 2**32)
        found = candidates(self.model, self.tokenizer, self.task, asked, count, sampling, SAMPLED_AT_ONCE)
        for place, group in zip(problems, found, strict=True):
            self.replies[place] += group
        scores = iter(self._scores(asked, found))
        return [[self._try(one, next(scores)) for one in group] for group in found]

    def greedy(self) -> "Asker":
        """Return one who asks the same without dice: what the model says when nothing is searched."""
        sampling = self.sampling.but(temperature=0)
        return Asker(self.model, self.tokenizer, self.task, self.examples, sampling, self.verifier)

    def _try(self, one: Candidate, score: float) -> Try:
        """Return a reply as a try; what does not come to an end says nothing."""
        flawed = self.task.flawed
        sound = flawed is None or not flawed(one.text)
        return Try(
            one.grade.said if one.finished else "", one.finished and one.grade.correct, len(one.ids), score, sound
        )

    def _scores(self, asked: Sequence[Example], found: Sequence[Sequence[Candidate]]) -> list[float]:
        pairs = [
            (example.question, one.text.strip()) for example, group in zip(asked, found, strict=True) for one in group
        ]
        return [0.5] * len(pairs) if self.verifier is None else self.verifier.scores(pairs, SAMPLED_AT_ONCE)


def _readable(tries: Sequence[Try]) -> list[int]:
    return [place for place, one in enumerate(tries) if one.said] or list(range(len(tries)))


def _voted(tries: Sequence[Try], weights: Sequence[float]) -> int:
    votes: dict[str, float] = {}
    places: dict[str, int] = {}
    for place in _readable(tries):
        said = tries[place].said
        votes[said] = votes.get(said, 0.0) + weights[place]
        places.setdefault(said, place)
    return places[max(votes, key=lambda said: votes[said])]
