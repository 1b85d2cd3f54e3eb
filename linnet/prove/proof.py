"""Put invariants to a subject, one by one, each with its own seeded generator, and leave the subject as it was."""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, Invariant, Verdict, broken, name_of, why_of


def prove(subject: Subject, invariants: Sequence[Invariant], seed: int = 0) -> list[Verdict]:
    """Return the verdict of each invariant, in order.

    What an invariant draws depends on the seed and its name only. An error that the subject raises is a broken
    invariant, with the error as evidence.
    """
    return [verdict(subject, invariant, seed) for invariant in invariants]


def verdict(subject: Subject, invariant: Invariant, seed: int = 0) -> Verdict:
    """Return the verdict of one invariant."""
    name = name_of(invariant)
    with untouched(subject.model):
        try:
            finding = invariant(subject, generator(seed, name))
        except Exception as error:  # the code under proof is anyone's
            finding = _raised(error)
    return Verdict(name, finding.status, " ".join(finding.evidence.split()), why_of(invariant))


def generator(seed: int, name: str) -> torch.Generator:
    """Return a generator on the CPU that depends on a seed and a name."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


@contextlib.contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Put the model in evaluation mode; after it, modes, gradients and torch's random generators are as before."""
    modes = [(module, module.training) for module in model.modules()]
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    devices = sorted({p.device.index or 0 for p in model.parameters() if p.device.type == "cuda"})
    on_mps = any(parameter.device.type == "mps" for parameter in model.parameters())
    mps = torch.mps.get_rng_state() if on_mps else None  # torch's own fork leaves it out
    with torch.random.fork_rng(devices):
        model.eval()
        for parameter, _ in gradients:
            parameter.grad = None
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training
            for parameter, gradient in gradients:
                parameter.grad = gradient
            if mps is not None:
                torch.mps.set_rng_state(mps)


def _raised(error: Exception) -> Finding:
    words = str(error).strip() or "no message"
    return broken(f"raised {type(error).__name__}: {words[:300]}")
