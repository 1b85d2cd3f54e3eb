"""From what was found to an answer: numbered sources before the question, and which of them the answer came from."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from linnet.core.errors import BadInput
from linnet.retrieve.chunks import sentences
from linnet.retrieve.config import By, Form
from linnet.retrieve.index import Found, Index
from linnet.retrieve.words import asked_for, terms

NOT_THERE = "That is not in the documents."
INSTRUCTION = (
    "Answer the question from the numbered sources alone. Write the number of the source in brackets behind what you "
    f'take from it, as in [1]. If the sources do not say it, answer: "{NOT_THERE}"'
)
MARK = re.compile(r"\[(\d{1,3})\]")
SHOWN = 0.5  # share of an answer's words that a source must hold to have given it, where the answer names none
Reply = Callable[[str], str]  # a message of the user -> a reply


@dataclass(frozen=True)
class Model:
    """A model that answers: its reply to a message, how many tokens a message takes, and its room for one."""

    reply: Reply
    tokens: Callable[[str], int]
    room: int


@dataclass(frozen=True)
class Answer:
    """An answer, what it was given to read, and the numbers (from 1) of the sources that it was taken from."""

    text: str
    sources: tuple[Found, ...]
    cited: tuple[int, ...]
    quoted: bool = False  # a sentence of the source, not a model's words

    @property
    def is_there(self) -> bool:
        """Say whether the documents say it."""
        return bool(self.cited)


def prompt(question: str, found: Sequence[Found]) -> str:
    """Return a message that shows the sources, numbered from 1, and asks the question."""
    listed = (f"[{number}] {one.title}\n{one.text}".strip() for number, one in enumerate(found, start=1))
    return "\n\n".join([INSTRUCTION, *listed, f"Question: {question}"])


def plain_prompt(question: str, source: Found) -> str:
    """Return a message of one source and the question, as linnet's own tasks ask: small models know this form."""
    return f"{source.text}\n{question}"


def fitting(question: str, found: Sequence[Found], tokens: Callable[[str], int], room: int) -> list[Found]:
    """Return as many of the first sources as leave the message in `room` tokens; raises BadInput when none does."""
    for count in range(len(found), 0, -1):
        if tokens(prompt(question, found[:count])) <= room:
            return list(found[:count])
    raise BadInput(
        f"no source fits beside the question in the {room:,} tokens that the model reads: ask --form plain, "
        "or make the index with smaller --chunks.tokens"
    )


def cited(answer: str, sources: Sequence[Found]) -> tuple[int, ...]:
    """Return the numbers of the sources that an answer names in brackets, else of the one that it was taken from.

    That is the first source that holds most of the answer's words, in one sentence if it can be, where it holds at
    least half of them; numbers of sources that were not shown do not count.
    """
    named = dict.fromkeys(int(number) for number in MARK.findall(answer))
    known = tuple(number for number in named if 1 <= number <= len(sources))
    if known:
        return known
    said = set(terms(MARK.sub(" ", answer)))
    if not said:
        return ()
    shares = [(_share(said, one.text), number) for number, one in enumerate(sources, start=1)]
    share, number = max(shares, key=lambda pair: (pair[0], -pair[1]), default=((0.0, 0.0), 0))
    return (number,) if share[0] >= SHOWN else ()


def _share(said: set[str], text: str) -> tuple[float, float]:
    """Return which share of the words a text holds, and which share its best sentence holds."""
    of_text = len(said & set(terms(text))) / len(said)
    best = max((len(said & set(terms(text[start:end]))) for start, end in sentences(text)), default=0)
    return of_text, best / len(said)


def stands_in(answer: str, source: Found) -> bool:
    """Say whether an answer stands in a source word for word, whatever its case and punctuation."""
    said, there = terms(answer), terms(source.text)
    return bool(said) and any(there[first : first + len(said)] == said for first in range(len(there)))


def best_sentence(question: str, source: Found, index: Index) -> str:
    """Return the sentence of a source that covers the question best: an answer without a model.

    A sentence speaks of "she" where the one before says the name, so it is judged together with that one.
    """
    asked, spans = asked_for(terms(question)), sentences(source.text)
    texts = [source.text[start:end] for start, end in spans]
    if not texts:
        return source.text
    before = ["", *texts[:-1]]
    scores = [
        index.words.coverage(asked, terms(text)) + 0.5 * index.words.coverage(asked, terms(f"{first} {text}"))
        for first, text in zip(before, texts, strict=True)
    ]
    return texts[scores.index(max(scores))]


def answer_numbered(question: str, found: Sequence[Found], reply: Reply) -> Answer:
    """Ask a model of all sources at once; an answer that none of them holds is not in the documents."""
    text = reply(prompt(question, found)).strip()
    sources = cited(text, found)
    says_no = terms(NOT_THERE) == terms(MARK.sub(" ", text))
    return Answer(text, tuple(found), sources) if sources and not says_no else Answer(NOT_THERE, tuple(found), ())


def answer_plain(question: str, found: Sequence[Found], reply: Reply, index: Index) -> Answer:
    """Ask a model of one source after another, and take the first reply that stands in the source it was made from.

    Give it sources that are enough to answer from: where no reply stands in its source, it is the model that failed,
    and the first of them is quoted of which it did not say that it is not there.
    """
    left = None
    for number, source in enumerate(found, start=1):
        text = reply(plain_prompt(question, source)).strip()
        if stands_in(text, source):
            return Answer(text, tuple(found), (number,))
        if left is None and terms(text) != terms(NOT_THERE):
            left = number
    return answer_quoting(question, found, index, left)


def answer_quoting(question: str, found: Sequence[Found], index: Index, number: int | None = 1) -> Answer:
    """Answer without a model: the sentence of a source, by its number, that covers the question best."""
    if number is None or not found:
        return Answer(NOT_THERE, tuple(found), ())
    return Answer(best_sentence(question, found[number - 1], index), tuple(found), (number,), quoted=True)


def answer(
    index: Index,
    question: str,
    model: Model | None = None,
    *,
    k: int = 4,
    by: By = "fused",
    form: Form = "numbered",
    anyway: bool = False,
) -> Answer:
    """Search, and answer from what was found; without a model the best sentence is the answer.

    Weak evidence is not answered from unless `anyway`: where one source is enough the numbered form shows them all, but
    one by one only those that are enough are asked of. Raises BadInput for an empty question, and when not one source
    fits into the model.
    """
    if not question.strip():
        raise BadInput("an empty question; ask something")
    return answer_from(index, question, index.search(question, k, by), model, form=form, anyway=anyway)


def answer_from(
    index: Index,
    question: str,
    found: Sequence[Found],
    model: Model | None = None,
    *,
    form: Form = "numbered",
    anyway: bool = False,
) -> Answer:
    """Answer from what was found in an index, or say that it is not in the documents; see `answer`."""
    strong = list(found) if anyway else index.strong(found)
    if not strong:
        return Answer(NOT_THERE, tuple(found), ())
    if model is None:
        return answer_quoting(question, strong, index)
    if form == "plain":
        return answer_plain(question, strong, model.reply, index)
    return answer_numbered(question, fitting(question, found, model.tokens, model.room), model.reply)
