"""Replies before and after a training: scores with intervals, a paired gain, and what people are shown first."""

import pytest

from linnet.evals.replies import greedy_replies, reply_gain, reply_numbers, reply_samples, scores_of
from linnet.infer.candidates import Candidate
from linnet.infer.config import SamplingConfig
from linnet.tasks.task import Example, Grade, Task
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import network


def replies(rewards, finished=True):
    return [Candidate(f"said {reward}", (1, 2), Grade(reward, ""), finished) for reward in rewards]


def test_a_score_has_an_interval():
    found = reply_numbers(replies([1.0, 0.0] * 50), "_before")
    assert found["score_before"] == 0.5
    assert 0.38 < found["score_low_before"] < 0.45 < 0.55 < found["score_high_before"] < 0.62
    assert found["reply_tokens_before"] == 2
    assert found["finished_before"] == 1.0
    assert reply_numbers(replies([1.0] * 4, finished=False))["score"] == 0.0


def test_a_gain_is_paired():
    found = reply_gain(replies([1.0] * 30 + [0.0] * 10), replies([0.0] * 20 + [1.0] * 10 + [0.0] * 10))
    assert found["gain"] == 0.5
    assert 0.3 < found["gain_low"] < found["gain_high"] < 0.7
    assert found["verdict"] == "better"
    assert reply_gain(replies([1.0, 0.0] * 9), replies([0.0, 1.0] * 9))["verdict"] == "not shown"
    assert reply_gain(replies([0.0] * 30), replies([1.0] * 30))["verdict"] == "worse"


def test_what_has_changed_is_shown_first():
    examples = [Example(f"question {n}", "", "") for n in range(4)]
    shown = reply_samples(examples, replies([0.0, 1.0, 0.0, 1.0]), replies([0.0, 1.0, 1.0, 1.0]), shown=2)
    assert len(shown) == 2
    assert shown[0] == "question 2\n\nbefore (0): said 0.0\nafter (1):  said 1.0"


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_replies_are_greedy_whatever_the_temperature_of_training(temperature):
    tokenizer = Tokenizer.train_characters(["abcdefghijklmnopqrstuvwxyz 0123456789?\n"])
    model = network(tokenizer.vocab_size, context_length=64)
    task = Task("a", "write", "", None, (), lambda row: Example("", "", ""), lambda _, r: Grade(float("a" in r), r))
    examples = [Example(f"what is {n}?", "", "") for n in range(3)]
    found = greedy_replies(model, tokenizer, task, examples, SamplingConfig(temperature=temperature, max_tokens=9))
    again = greedy_replies(model, tokenizer, task, examples, SamplingConfig(max_tokens=9, seed=4))
    assert [one.ids for one in found] == [one.ids for one in again]
    assert all(len(one.ids) <= 9 for one in found)
    assert scores_of(found).tolist() == [one.reward for one in found]
