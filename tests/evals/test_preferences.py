"""Held-out preferences: accuracy, gain, what a rule of length would get, and what the policy writes."""

import numpy as np
import pytest
import torch

from linnet.batches.pairs import PairIds, Pairs
from linnet.evals.preferences import PairScores, before_and_after, score_pairs, write_replies
from linnet.text.chat import Message, render
from linnet.text.tokenizer import Tokenizer
from linnet.train.precision import Precision
from linnet.train.preference import Preferring, logprobs_of, reference_table, still_copy
from tests.infer.networks import network

FP32 = Precision(torch.float32, torch.device("cpu"))
SIGMOID = Preferring("sigmoid", beta=0.5)


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train_characters(["abcdefghijklmnopqrstuvwxyz 0123456789?\n"])


def some_pairs(tokenizer, count=6):
    items = []
    for number in range(count):
        prompt = tuple(render(tokenizer, [Message("user", f"what is {number}?")], reply=True).ids)
        items.append(PairIds(prompt, (5, 6, 7), (8,) * (1 + number % 4), "odd" if number % 2 else "even"))
    return Pairs(items, 2, 0, tokenizer.pad_id)


def scores(policy, reference, lengths, reasons=()):
    tensors = (torch.tensor(rows) for rows in (policy, reference, lengths))
    return PairScores(*tensors, reasons or ("",) * len(policy))


def test_accuracy_is_of_rewards_against_the_reference():
    # Likelier than the rejected, but less so than for the reference: the policy has moved the wrong way.
    one = scores([[-5.0, -9.0], [-8.0, -7.0]], [[-4.0, -9.0], [-9.0, -7.0]], [[2, 3], [2, 2]], ("a", "b"))
    np.testing.assert_allclose(one.margins(SIGMOID), [-0.5, 0.5])
    found = one.numbers(SIGMOID)
    assert found["accuracy"] == 0.5
    assert found["accuracy_by_reason"]["a"]["accuracy"] == 0.0
    assert found["accuracy_by_reason"]["b"]["accuracy"] == 1.0
    assert found["accuracy_low"] < 0.5 < found["accuracy_high"]
    assert found["loss"] == pytest.approx(np.mean(np.log1p(np.exp([0.5, -0.5]))))
    assert (found["likelier_before"], found["likelier_after"]) == (0.5, 0.5)
    np.testing.assert_allclose(one.margins(Preferring("simpo", beta=2.0)), 2 * np.array([-2.5 + 3, -4 + 3.5]))


def test_the_gain_is_paired_and_needs_enough_items():
    before, after = [[-5.0, -4.0]] * 40, [[-3.0, -4.0]] * 40
    found = scores(after, before, [[2, 2]] * 40).numbers(SIGMOID)["likelier_gain"]
    assert (found["difference"], found["verdict"]) == (1.0, "better")
    assert scores(before, before, [[2, 2]] * 40).numbers(SIGMOID)["likelier_gain"]["verdict"] == "not shown"
    assert scores(after[:3], before[:3], [[2, 2]] * 3).numbers(SIGMOID)["likelier_gain"]["verdict"] == "not shown"


def test_a_model_that_only_knows_lengths_is_found_out():
    lengths = [[2, 5]] * 7 + [[5, 2]] * 3
    by_length = [[-2.0 * a, -2.0 * b] for a, b in lengths]
    found = scores(by_length, [[0.0, 0.0]] * 10, lengths).numbers(SIGMOID)
    assert (found["rule_of_length"], found["rule_of_length_accuracy"]) == ("shorter", 0.7)
    assert found["accuracy"] == 0.7
    assert found["accuracy_where_length_does_not_help"] == 0.0
    assert found["accuracy_where_length_does_not_help_of"] == 3
    assert found["margin_length_correlation"] == pytest.approx(1.0)
    assert (found["chosen_tokens"], found["rejected_tokens"]) == (2.9, 4.1)
    longer = scores(by_length, [[0.0, 0.0]] * 10, [[b, a] for a, b in lengths]).numbers(SIGMOID)
    assert (longer["rule_of_length"], longer["rule_of_length_accuracy"]) == ("longer", 0.7)
    equal = scores([[-1.0, -2.0]], [[0.0, 0.0]], [[3, 3]]).numbers(SIGMOID)
    assert equal["rule_of_length_accuracy"] == 0.5
    assert equal["margin_length_correlation"] is None
    assert equal["accuracy_where_length_does_not_help_of"] == 1
    nowhere = scores([[-1.0, -2.0]], [[0.0, 0.0]], [[2, 3]]).numbers(SIGMOID)
    assert nowhere["accuracy_where_length_does_not_help_of"] == 0
    assert "accuracy_where_length_does_not_help" not in nowhere


def test_scores_are_those_of_the_network(tokenizer):
    model, pairs = network(tokenizer.vocab_size, context_length=64), some_pairs(tokenizer)
    found = score_pairs(logprobs_of(model, FP32), pairs)
    table = reference_table(logprobs_of(model, FP32), pairs, range(6))
    assert torch.equal(found.policy, table)
    assert torch.equal(found.reference, table)
    assert found.lengths.tolist() == [[3, 1 + n % 4] for n in range(6)]
    assert found.reasons == ("even", "odd") * 3
    np.testing.assert_array_equal(found.margins(SIGMOID), np.zeros(6))


def test_replies_tell_how_far_the_policy_went(tokenizer):
    start, pairs = network(tokenizer.vocab_size, context_length=64), some_pairs(tokenizer)
    same = write_replies(start, start, tokenizer, pairs, FP32, seed=0)
    assert len(same.texts) == 6
    assert same.numbers()["kl"] == 0
    moved = still_copy(start)
    with torch.no_grad():
        moved.head.weight.add_(0.3 * moved.head.weight.roll(1, 0))
    gone = write_replies(moved, start, tokenizer, pairs, FP32, seed=0).numbers()
    assert gone["kl"] > 3 * gone["kl_standard_error"] > 0
    again = write_replies(start, start, tokenizer, pairs, FP32, seed=0)
    assert again.texts == same.texts


def test_replies_that_fill_the_context_are_measured_too(tokenizer):
    start, pairs = network(tokenizer.vocab_size, spread=2.0, context_length=40), some_pairs(tokenizer)
    found = write_replies(start, start, tokenizer, pairs, FP32, seed=1)
    assert found.tokens.max() + len(pairs.items[0].prompt) == 41


def test_before_and_after_side_by_side(tokenizer):
    start, pairs = network(tokenizer.vocab_size, context_length=64), some_pairs(tokenizer)
    numbers, samples = before_and_after(start, start, tokenizer, pairs, FP32, seed=0, shown=4)
    assert numbers["reply_tokens_before"] == numbers["reply_tokens"]
    assert len(samples) == 4
    assert "what is 0?" in samples[0]
    before, after = samples[0].split("before: ")[1].split("\nafter:  ")
    assert before == after
