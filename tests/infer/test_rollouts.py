"""Rollouts: graded groups of the policy of the moment, a pure function of seed and number, resumed in the middle."""

import json

import pytest
import torch

from linnet.batches.batch import IGNORE
from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.rollouts import Rollouts, seed_of
from linnet.tasks.task import Example, Grade, Task
from linnet.text.tokenizer import Tokenizer
from linnet.train.precision import Precision
from linnet.train.preference import logprobs_of
from tests.infer.networks import network

EXAMPLES = [Example(f"what is {n}?", "", f"{n}") for n in range(5)]
PRECISION = Precision(torch.float32, torch.device("cpu"))
TASK = Task(
    "even", "write", "", None, (), lambda row: Example("", "", ""),
    lambda example, reply: Grade(float(len(reply) % 2 == 0), reply),
)  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train_bpe(["user assistant what is 1 + 2 ? \n"] * 3, 280)


def made(tokenizer, updates=1, seed=0, prompts=2, group=3, model=None):
    model = model or network(tokenizer.vocab_size, context_length=64)
    asked = logprobs_of(model, PRECISION)
    start = network(tokenizer.vocab_size, context_length=64)
    return model, Rollouts(
        model, tokenizer, TASK, EXAMPLES, prompts=prompts, group=group,
        sampling=SamplingConfig(max_tokens=8, seed=seed), updates=updates,
        old=asked if updates > 1 else None, reference=logprobs_of(start, PRECISION),
    )  # fmt: skip


def same(a, b):
    tensors = ("rewards", "advantages", "finished", "old", "reference")
    pairs = [(getattr(a, name), getattr(b, name)) for name in tensors]
    pairs += [(a.rows.ids, b.rows.ids), (a.rows.targets, b.rows.targets)]
    return all((x is None and y is None) or torch.equal(x, y) for x, y in pairs)


def test_a_batch_holds_whole_groups_of_one_prompt(tokenizer):
    _, rollouts = made(tokenizer)
    batch = rollouts.next()
    assert len(batch.rewards) == 6
    learned = batch.rows.targets != IGNORE
    for first in (0, 3):
        start = int(learned[first].int().argmax()) + 1  # the prompt
        assert len({tuple(row[:start].tolist()) for row in batch.rows.ids[first : first + 3]}) == 1
    assert batch.rows.ids[0].tolist() != batch.rows.ids[3].tolist()
    assert bool((batch.rewards[~batch.finished] == 0).all())
    assert batch.advantages.view(2, 3).sum(1).abs().max() < 1e-6
    # What was sampled is what is learned, and at first the reference finds it as likely as the policy.
    assert batch.old is None
    torch.testing.assert_close(batch.reference, logprobs_of(rollouts.model, PRECISION)(batch.rows))


def test_the_same_seed_and_weights_give_the_same_replies(tokenizer):
    (_, one), (_, two), (_, other) = made(tokenizer), made(tokenizer), made(tokenizer, seed=1)
    first = [one.next() for _ in range(3)]
    assert all(same(a, two.next()) for a in first)
    assert not same(first[0], other.next())
    assert not same(first[0], first[1])
    assert seed_of(0, 1) != seed_of(1, 0)


def test_a_question_that_comes_again_gets_other_dice(tokenizer, monkeypatch):
    monkeypatch.setattr(f"{__name__}.EXAMPLES", EXAMPLES[:1])
    _, rollouts = made(tokenizer, prompts=1)
    first, second = rollouts.next(), rollouts.next()
    assert first.rows.ids[0, :10].tolist() == second.rows.ids[0, :10].tolist()
    assert not same(first, second)


def test_the_replies_are_those_of_the_weights_of_the_moment(tokenizer):
    model, rollouts = made(tokenizer)
    _, untouched = made(tokenizer)
    assert same(rollouts.next(), untouched.next())
    with torch.no_grad():
        model.head.weight.neg_()
    changed, before = rollouts.next(), untouched.next()
    assert not torch.equal(changed.rewards, before.rewards) or changed.rows.ids.shape != before.rows.ids.shape


def test_a_batch_is_handed_out_as_often_as_there_are_updates(tokenizer):
    _, rollouts = made(tokenizer, updates=3)
    batches = [rollouts.next() for _ in range(4)]
    assert batches[0] is batches[1] is batches[2]
    assert batches[3] is not batches[0]
    assert batches[0].old is not None


@pytest.mark.slow
@pytest.mark.parametrize("drawn", [0, 1, 2, 3, 4])
def test_resumed_between_two_updates_it_goes_on_with_the_same_replies(drawn, tokenizer):
    model, whole = made(tokenizer, updates=3)
    for _ in range(drawn):
        whole.next()
    state = json.loads(json.dumps(whole.state()))
    assert (state["now"] is None) == (drawn in (0, 3))
    # The weights have moved since the replies were written: they cannot be written again.
    with torch.no_grad():
        model.head.weight.mul_(1.1)
    _, resumed = made(tokenizer, updates=3, model=model)
    resumed.restore(state)
    for _ in range(4):
        assert same(whole.next(), resumed.next())


def test_other_choices_and_damage_are_refused(tokenizer):
    _, rollouts = made(tokenizer, updates=2)
    rollouts.next()
    state = rollouts.state()
    _, other = made(tokenizer, updates=2, group=2)
    with pytest.raises(BadInput, match="group was 3"):
        other.restore(state)
    _, again = made(tokenizer, updates=2)
    with pytest.raises(BadInput, match="damaged"):
        again.restore({**state, "now": {"ids": [[1]]}})


def test_what_the_calculator_gives_is_read_and_not_learned(tokenizer, monkeypatch):
    from linnet.infer import rollouts as module

    real = module.candidates

    def with_a_gift(*arguments, **named):
        groups = real(*arguments, **named)
        return [[type(one)(one.text, (7, *one.ids), one.grade, one.finished, given=(0,)) for one in g] for g in groups]

    monkeypatch.setattr(module, "candidates", with_a_gift)
    _, rollouts = made(tokenizer)
    batch = rollouts.next()
    for ids, targets in zip(batch.rows.ids, batch.rows.targets, strict=True):
        first = int((targets != IGNORE).int().argmax())
        assert int(ids[first]) == 7
        assert 7 not in targets[: first + 1].tolist()
