"""The runner: seeds, errors, and a subject left as it was."""

import torch

from linnet.prove.proof import generator, prove, untouched, verdict
from linnet.prove.verdict import held
from tests.prove.subjects import subject


def draws(subject, draw):
    """Let dice be dice."""
    return held(str(torch.randint(0, 10**9, (1,), generator=draw).item()))


def meddles(subject, draw):
    """Let nothing be left behind."""
    assert not subject.model.training
    assert all(parameter.grad is None for parameter in subject.model.parameters())
    torch.manual_seed(99)
    subject.logits(torch.zeros(1, 4, dtype=torch.int64)).sum().backward()
    subject.model.train()
    raise IndexError("no such\nplace")


def test_what_is_drawn_depends_on_the_seed_and_the_name():
    one = subject()
    first, second = prove(one, [draws, draws])
    assert first == second
    assert verdict(one, draws, seed=1).evidence != first.evidence
    a, b = (torch.rand(1, generator=generator(0, name)) for name in "ab")
    assert a != b


def test_an_error_is_a_broken_invariant_and_nothing_is_left_behind():
    one = subject()
    one.model.train()
    one.model.blocks[0].eval()
    grad = torch.ones_like(one.model.head.weight)
    one.model.head.weight.grad = grad
    dice = torch.get_rng_state()
    found = verdict(one, meddles)
    assert found.status == "broken"
    assert found.evidence == "raised IndexError: no such place"
    assert torch.equal(dice, torch.get_rng_state())
    assert one.model.training
    assert not one.model.blocks[0].training
    assert one.model.head.weight.grad is grad
    assert one.model.embedding.weight.grad is None


def test_untouched_restores_also_after_an_error():
    one = subject()
    one.model.train()
    try:
        with untouched(one.model):
            raise KeyError
    except KeyError:
        pass
    assert one.model.training
