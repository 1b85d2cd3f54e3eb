"""Tasks asked of a model: in chats and plainly, in batches by length, with samples, shots and protocols."""

from dataclasses import replace
from itertools import islice

import pytest

from linnet.evals import suite
from linnet.evals.suite import Way, ask, ask_task, protocol
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.tasks import find, prompts
from linnet.tasks.rows import read
from linnet.tasks.task import Example, Grade
from linnet.text.chat import reply_ends
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import TEXT, network

SHORT = SamplingConfig(temperature=0, max_tokens=6)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train_bpe([TEXT * 3, "Question: How many? Answer: #### 12345 67890"], 300)


@pytest.fixture(scope="module")
def model(tokenizer):
    return network(vocab_size=tokenizer.vocab_size, context_length=256)


def examples(name: str, count: int) -> list[Example]:
    task = find(name)
    return list(task.examples(islice(read(task, "world", "test"), count)))


@pytest.mark.parametrize("chat", [False, True])
def test_batches_by_length_reply_as_one_by_one(model, tokenizer, chat):
    task, asked = find("facts"), examples("facts", 7)
    together = ask(model, tokenizer, asked, task, SHORT, chat, batch_size=3)
    alone = [ask(model, tokenizer, [one], task, SHORT, chat)[0] for one in asked]
    assert [one.ids for one in together] == [one.ids for one in alone]
    assert len({one.ids for one in together}) > 1


def test_rows_are_handed_over_by_length(model, tokenizer, monkeypatch):
    lengths = []

    def watched(model, tokenizer, asked, *arguments, **named):
        lengths.extend(map(len, asked))
        return generate(model, tokenizer, asked, *arguments, **named)

    monkeypatch.setattr(suite, "generate", watched)
    ask(model, tokenizer, examples("facts", 9), find("facts"), SHORT, chat=True)
    assert lengths == sorted(lengths, reverse=True)


def test_a_chat_ends_with_its_turn_and_plain_text_with_stop_strings(model, tokenizer, monkeypatch):
    seen = []
    monkeypatch.setattr(
        suite, "generate", lambda *a, **named: seen.append((a[3], named["stop_ids"])) or generate(*a, **named)
    )
    task, asked = replace(find("facts"), stop=("e", "o")), examples("facts", 3)
    for chat in (True, False):
        ask(model, tokenizer, asked, task, SHORT, chat)
    (of_chat, ends), (of_text, none) = seen
    assert (of_chat.stop, ends) == ((), reply_ends(tokenizer))
    assert (of_text.stop, none) == (("e", "o"), None)


def test_samples_of_one_question_differ_and_the_same_seed_repeats_them(model, tokenizer):
    task, asked = find("facts"), examples("facts", 2)
    sampling = SamplingConfig(max_tokens=8, seed=3)
    first, second = (ask(model, tokenizer, asked * 4, task, sampling, True, batch_size=size) for size in (3, 64))
    assert [one.ids for one in first] == [one.ids for one in second]
    assert len({one.ids for one in first[::2]}) == 4


def test_a_question_too_long_loses_its_beginning(tokenizer):
    small = network(vocab_size=tokenizer.vocab_size, context_length=32)
    [found] = ask(small, tokenizer, examples("questions", 1), find("questions"), SamplingConfig(temperature=0), True)
    assert len(found.ids) <= 17


def test_grades_are_those_of_the_replies(model, tokenizer):
    task, rows = find("facts"), examples("facts", 4)
    way = Way(chat=True, sampling=SHORT)
    replies = ask(model, tokenizer, rows, task, SHORT.but(max_tokens=task.max_tokens), True)
    # The reference of every other row is what the model says.
    rows = [replace(row, answer=replies[n].text if n % 2 else row.answer) for n, row in enumerate(rows)]
    asked = ask_task(model, tokenizer, task, rows, way)
    assert [answer.reply for answer in asked.answers] == [reply.text for reply in replies]
    assert [answer.grade for answer in asked.answers] == [
        task.grade(row, r.text) for row, r in zip(rows, replies, strict=True)
    ]
    assert [answer.grade.score for answer in asked.answers] == [0, 1, 0, 1]
    assert asked.seconds > 0


def test_samples_are_averaged_and_kept(model, tokenizer):
    right = iter([1.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    task = replace(find("facts"), grade=lambda example, reply: Grade(next(right), reply, numbers={"f1": 0.5}))
    way = Way(sampling=SamplingConfig(temperature=1), samples=3)
    asked = ask_task(model, tokenizer, task, examples("facts", 2), way)
    assert [answer.right for answer in asked.answers] == [(True, False, False), (True, True, True)]
    assert [answer.grade.score for answer in asked.answers] == pytest.approx([1 / 3, 1.0])
    assert {one.name: one.value for one in asked.measures()}["pass@3"] == 1


@pytest.mark.parametrize("name", ["sentiment", "choices", "cloze", "stories", "preferences"])
def test_tasks_of_every_form(model, tokenizer, name):
    asked = ask_task(model, tokenizer, find(name), examples(name, 3), Way(chat=True))
    assert len(asked.answers) == 3
    assert all(measure.count == 3 for measure in asked.measures())


def test_protocols_name_what_changes_a_score(model):
    shots = prompts.Shots(examples("sums", 9), 3)
    sampled = Way(True, shots, SamplingConfig(temperature=0.7, top_k=5, seed=4, calculator=True), 8)
    said = protocol(find("sums"), sampled, model)
    parts = ("chat format", "3 shots", "8 samples", "temperature 0.7", "top-k 5", "seed 4", "calculator", "exact match")
    assert all(part in said for part in parts)
    plain = protocol(find("sums"), Way(), model)
    assert all(
        part in plain for part in ("plain prompt", "no shots", "greedy", "at most 128 tokens")
    )  # half the context
    assert "whole reply" in protocol(find("sentiment"), Way(chat=True), model)
    assert "all its tokens" in protocol(find("sentiment"), Way(), model)
    # A cloze goes on as it is, whoever is asked.
    assert "plain prompt" in protocol(find("cloze"), Way(chat=True), model)
    assert "256 tokens" in protocol(find("stories"), Way(chat=True), model)
