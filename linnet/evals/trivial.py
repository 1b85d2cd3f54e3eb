"""What trivial means score on a task: the numbers that a model's must be read beside.

Each baseline replies to the rows that the model was asked, having learned at most from the task's training rows, and
is graded as the model is. Choices: the majority, a bag of words, an n-gram model, the longer and the shorter one, and
the choices judged blindly, without the input. Replies: the best constant one (blind), the answer of the training
question with the most words in common, the lead of the input, an n-gram model's. Texts: gzip and an n-gram of bytes.
"""

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from linnet.evals.bag_of_words import BagOfWords, words
from linnet.evals.ngram import NgramModel
from linnet.evals.word_ngram import WordNgram
from linnet.tasks.language import size
from linnet.tasks.task import Example, Grade, Task

CONSTANTS, TRIED_ON = 16, 100  # constant replies that are tried, and training rows that they are tried on
LEAD = 3  # lines of a dialogue, or sentences, that make a lead
BYTES_ORDER, MOST_BYTES = 6, 2_000_000
SENTENCE = re.compile(r".*?[.!?](?=\s|$)|.+", re.DOTALL)


@dataclass(frozen=True)
class Trivial:
    """A baseline's name, what it does, and its grade of each row."""

    name: str
    about: str
    grades: tuple[Grade, ...]


def baselines(task: Task, train: Sequence[Example], asked: Sequence[Example]) -> list[Trivial]:
    """Return the baselines of a task; those that learn are left out where there is nothing to learn from."""
    if task.form == "choose":
        return _of_choices(task, train, asked)
    if task.form == "text":
        return _of_texts(train, asked)
    return _of_continuations(task, train, asked) if task.form == "continue" else _of_replies(task, train, asked)


def has_labels(examples: Sequence[Example]) -> bool:
    """Say whether the choices are the same for all examples: labels of classes."""
    return bool(examples) and all(one.choices == examples[0].choices for one in examples)


def _of_choices(task: Task, train: Sequence[Example], asked: Sequence[Example]) -> list[Trivial]:
    def picks(name: str, about: str, pick: Callable[[Example], int]) -> Trivial:
        return Trivial(name, about, tuple(_picked(task, example, pick(example)) for example in asked))

    found = []
    if has_labels([*train, *asked]):
        source = train or asked
        common = Counter(example.gold for example in source).most_common(1)[0][0]
        where = "the training rows" if train else "the rows asked themselves, for want of others"
        found.append(picks("majority", f"always the most common label of {where}", lambda _: common))
    else:
        found.append(picks("longer", "the choice with the most letters", lambda one: _longest(one.choices, 1)))
        found.append(picks("shorter", "the choice with the fewest letters", lambda one: _longest(one.choices, -1)))
    if train:
        ngram = WordNgram([f"{one.prompt}{one.answer}" for one in train])
        found.append(
            picks(
                "n-gram",
                f"{ngram.model.order}-gram model of the words of the training rows: the likelier choice",
                lambda one: int(np.argmin([ngram.nats(one.prompt, choice) for choice in one.choices])),
            )
        )
        found.append(_bag_of_words(train, picks) if has_labels([*train, *asked]) else _blind_choice(train, picks))
    return found


def _bag_of_words(train: Sequence[Example], picks: Callable[..., Trivial]) -> Trivial:
    model = BagOfWords.train([one.prompt for one in train], [one.gold for one in train])
    about = f"logistic regression on which words the input has, of {len(train):,} training rows"
    return picks("bag of words", about, lambda one: int(model.probabilities([one.prompt])[0].argmax()))


def _blind_choice(train: Sequence[Example], picks: Callable[..., Trivial]) -> Trivial:
    """Learn what right choices look like by themselves: what this gets is given away without the input."""
    pairs = [(choice, int(place == one.gold)) for one in train for place, choice in enumerate(one.choices)]
    model = BagOfWords.train([choice for choice, _ in pairs], [right for _, right in pairs])
    about = "input-blind: logistic regression on the words of a choice by itself, right or wrong in training rows"
    return picks("blind", about, lambda one: int(model.probabilities(one.choices)[:, 1].argmax()))


def _of_replies(task: Task, train: Sequence[Example], asked: Sequence[Example]) -> list[Trivial]:
    def replies(name: str, about: str, said: Sequence[str]) -> Trivial:
        return Trivial(name, about, tuple(task.grade(one, reply) for one, reply in zip(asked, said, strict=True)))

    lead = [first_lines(one) for one in asked]
    found = [replies("lead", f"copies the first {LEAD} lines (or sentences) of the input", lead)]
    if train:
        constant = best_constant(task, train)
        about = "input-blind: the one answer of a training row that does best as the reply to all of them"
        found.append(replies("constant", about, [constant] * len(asked)))
        nearest = nearest_answers(train, asked)
        found.append(
            replies("nearest", "the answer of the training question with the most rare words in common", nearest)
        )
        ngram = WordNgram([f"{one.prompt}{one.answer}" for one in train])
        written = ngram.write([one.prompt for one in asked], task.max_tokens)
        found.append(replies("n-gram", f"{ngram.model.order}-gram model of the words of the training rows", written))
    return found


def _of_continuations(task: Task, train: Sequence[Example], asked: Sequence[Example]) -> list[Trivial]:
    last = [(words(one.prompt) or [""])[-1] for one in asked]
    repeated = tuple(task.grade(one, said) for one, said in zip(asked, last, strict=True))
    found = [Trivial("last word", "says the last word of the text again", repeated)]
    if train:
        common = Counter(one.answer for one in train)
        ngram = WordNgram([f"{one.prompt}{one.answer}" for one in train])
        some = [answer for answer, _ in common.most_common(200)]
        said = [ngram.likeliest(one.prompt, list(dict.fromkeys([*some, *_words_of(one)]))) for one in asked]
        grades = (tuple(task.grade(one, each) for one in asked) for each in some[:1])
        found += [Trivial("constant", "input-blind: always the most common last word", each) for each in grades]
        about = f"{ngram.model.order}-gram model of words: the likeliest of the text's words and 200 common last words"
        found.append(
            Trivial("n-gram", about, tuple(task.grade(one, word) for one, word in zip(asked, said, strict=True)))
        )
    return found


def _of_texts(train: Sequence[Example], asked: Sequence[Example]) -> list[Trivial]:
    def costs(name: str, about: str, nats: Sequence[float]) -> Trivial:
        sizes = [size(one) for one in asked]
        numbers = [
            {"nats": cost, "words": float(each.words), "bytes": float(each.bytes)}
            for cost, each in zip(nats, sizes, strict=True)
        ]
        return Trivial(name, about, tuple(Grade(0.0, "", numbers=one) for one in numbers))

    raw = [one.answer.encode() for one in asked]
    found = [
        costs("gzip", "gzip of each text by itself", [8 * np.log(2) * len(zlib.compress(text, 9)) for text in raw])
    ]
    if train:
        learned = b"\0".join(one.answer.encode() for one in train)[:MOST_BYTES]
        model = NgramModel.train(np.frombuffer(b"\0" + learned, np.uint8), BYTES_ORDER, 256)
        spent = [float(model.nats(np.frombuffer(b"\0" + text, np.uint8)).sum()) for text in raw]
        found.append(
            costs("n-gram", f"{BYTES_ORDER}-gram of the bytes of {len(learned):,} bytes of training rows", spent)
        )
    return found


def first_lines(example: Example) -> str:
    """Return the lead of an input: its first lines, or sentences where it is one line."""
    text = example.question.partition("\n")[2] or example.question
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        lines = [sentence.strip() for sentence in SENTENCE.findall(text)]
    return " ".join(lines[:LEAD])


def best_constant(task: Task, train: Sequence[Example]) -> str:
    """Return the answer, of the first training rows, that scores best as the reply to other training rows."""
    tried = list(dict.fromkeys(one.answer for one in train[:CONSTANTS]))
    others = train[-TRIED_ON:]
    return max(tried, key=lambda answer: sum(task.grade(one, answer).score for one in others))


def nearest_answers(train: Sequence[Example], asked: Sequence[Example]) -> list[str]:
    """Return the answer of the training row whose question is most like each one asked: cosine of tf-idf weights."""
    found: dict[str, list[int]] = defaultdict(list)
    bags = [dict.fromkeys(words(one.question)) for one in train]
    for number, bag in enumerate(bags):
        for word in bag:
            found[word].append(number)
    rarity = {word: np.log(len(train) / len(where)) for word, where in found.items()}
    sizes = np.array([sum(rarity[word] ** 2 for word in bag) ** 0.5 for bag in bags])
    places = {word: np.array(where) for word, where in found.items()}
    answers = []
    for one in asked:
        scores = np.zeros(len(train))
        for word in dict.fromkeys(words(one.question)):
            if word in places:
                scores[places[word]] += rarity[word] ** 2
        answers.append(train[int((scores / np.maximum(sizes, 1e-9)).argmax())].answer)
    return answers


def _picked(task: Task, example: Example, place: int) -> Grade:
    right = place == example.gold
    said = example.choices[place].strip()
    return Grade(float(right), said, "" if right else "wrong choice", {"by_length": float(right)})


def _longest(choices: Sequence[str], sign: int) -> int:
    return max(range(len(choices)), key=lambda place: sign * len(choices[place].strip()))


def _words_of(example: Example) -> list[str]:
    return [f" {word}" for word in dict.fromkeys(re.findall(r"\w+", example.prompt))]
