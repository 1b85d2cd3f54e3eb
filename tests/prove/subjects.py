"""Small subjects that every invariant holds of, to be broken one part at a time."""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from linnet.model.decoder import Decoder
from linnet.prove.ours import decoder_subject
from linnet.prove.proof import verdict
from linnet.prove.subject import Subject
from linnet.prove.verdict import Invariant, Verdict
from tests.model.variants import VARIANTS, build


def decoder(name: str = "llama_gqa", **choices) -> Decoder:
    """Build one of the variants with random weights."""
    return build(**{**VARIANTS[name], **choices})


def subject(name: str = "llama_gqa", **choices) -> Subject:
    """Return one of the variants as a subject."""
    return decoder_subject(decoder(name, **choices), name)


def reading(subject: Subject, **ways) -> Subject:
    """Return the subject with other ways of reading."""
    return replace(subject, reading=replace(subject.reading, **ways))


def judge(invariant: Invariant, subject: Subject, seed: int = 0) -> Verdict:
    """Return a verdict, and see that the subject was left as it was."""
    before = [parameter.detach().clone() for parameter in subject.model.parameters()]
    found = verdict(subject, invariant, seed)
    assert all(torch.equal(*pair) for pair in zip(before, subject.model.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in subject.model.parameters())
    assert found.why, "an invariant says why it matters"
    assert not found.evidence.startswith("raised"), found.evidence  # broken for the reason that was planted
    return found


def order(ids: Tensor) -> Tensor:
    """Return 0, 1, 2... for every row."""
    return torch.arange(ids.shape[1]).expand(ids.shape)


def leaking(model: Decoder, ids: Tensor, share: float = 0.1) -> Tensor:
    """Return logits that know the last token of their row."""
    return model(ids) + share * ids[:, -1, None, None]


def leaky(subject: Subject, share: float = 0.1) -> Subject:
    """Return the subject with a leak from the future."""
    return replace(subject, logits=partial(leaking, subject.model, share=share))
