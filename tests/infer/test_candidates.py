"""Candidates: replies in the chat format, graded; what decides them; questions to learn from and held out."""

import json

import pytest

from linnet.core.errors import BadInput
from linnet.infer.candidates import Candidate, candidates, chat_prompt, read_questions
from linnet.infer.config import SamplingConfig
from linnet.tasks import find
from linnet.tasks.task import Example, Grade, Task
from linnet.text.chat import reply_ends, stop_id
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import network

SAMPLING = SamplingConfig(max_tokens=6, seed=3)
QUESTIONS = [Example(f"what is {n}?", "", f"{n}") for n in range(3)]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train_bpe(["user assistant what is 1 + 2 ? \n"] * 3, 280)


@pytest.fixture(scope="module")
def model(tokenizer):
    return network(tokenizer.vocab_size, context_length=64)


def long_is_good(example, reply):
    return Grade(float(len(reply) > 3), reply, "" if len(reply) > 3 else "short")


TASK = Task("length", "write", "", None, (), lambda row: Example("", "", ""), long_is_good)


def test_every_reply_is_graded_and_knows_how_it_ended(model, tokenizer):
    groups = candidates(model, tokenizer, TASK, QUESTIONS, 4, SAMPLING)
    assert [len(group) for group in groups] == [4, 4, 4]
    for reply in (reply for group in groups for reply in group):
        assert reply.grade == long_is_good(None, reply.text)
        assert reply.finished == (reply.ids[-1] in reply_ends(tokenizer))
        assert reply.reward == (reply.grade.score if reply.finished else 0.0)
        assert 1 <= len(reply.ids) <= 6
    assert len({reply.ids for reply in groups[0]}) > 1  # dice of their own


def test_a_reply_follows_from_seed_question_and_number_alone(model, tokenizer):
    whole = candidates(model, tokenizer, TASK, QUESTIONS, 4, SAMPLING)
    [alone] = candidates(model, tokenizer, TASK, QUESTIONS[1:2], 2, SAMPLING, batch_size=1)
    assert [one.ids for one in alone] == [one.ids for one in whole[1][:2]]
    other = candidates(model, tokenizer, TASK, QUESTIONS, 4, SAMPLING.but(seed=4))
    assert [one.ids for one in other[0]] != [one.ids for one in whole[0]]


def test_unfinished_replies_are_worth_nothing():
    right = Grade(1.0, "3")
    assert Candidate("3", (5, 6), right, finished=True).reward == 1.0
    assert Candidate("3", (5, 6), right, finished=False).reward == 0.0


def test_what_the_calculator_put_in_is_not_learned():
    assert Candidate("", (5, 6, 7, 8), Grade(0.0, ""), True, given=(1, 2)).learned == [True, False, False, True]


def test_the_prompt_is_the_question_in_the_chat_format(tokenizer):
    text = tokenizer.decode(chat_prompt(tokenizer, QUESTIONS[2]))
    assert "what is 2?" in text
    assert text.endswith("assistant\n")
    assert reply_ends(tokenizer) == [stop_id(tokenizer), tokenizer.end_id]


def test_questions_of_the_world_are_held_out_by_its_splits(tokenizer):
    learn, held_out, hashes = read_questions(find("sums"), "world:30", tokenizer, 4096, 0.1, 12)
    assert (len(learn), len(held_out)) == (30, 12)
    assert hashes.keys() == {"questions", "held_out"}
    other = read_questions(find("sums"), "world:31", tokenizer, 4096, 0.1, 12)[2]
    assert other["questions"] != hashes["questions"]
    assert other["held_out"] == hashes["held_out"]


def test_questions_of_a_file_are_held_out_by_their_ids(tokenizer, tmp_path):
    path = tmp_path / "sums.jsonl"
    rows = [{"question": f"what is {n // 2}?", "answer": f"#### {n}"} for n in range(120)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    learn, held_out, _ = read_questions(find("sums"), str(path), tokenizer, 4096, 0.25, 9)
    assert len(held_out) == 9
    assert 70 < len(learn) < 111
    assert not {one.question for one in learn} & {one.question for one in held_out}


def test_questions_that_leave_no_room_are_left_out(tokenizer):
    with pytest.raises(BadInput, match="0 questions to learn from and 0 held out"):
        read_questions(find("sums"), "world:5", tokenizer, 16, 0.1, 5)
