"""Adapters (LoRA and its kin): nothing at first, gone when switched off, the same when folded in."""

import torch

from linnet.prove.measuring import apart, equal_logits, random_ids, tolerance
from linnet.prove.parts import Adapter, Logits
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, broken, not_applicable

NONE_GIVEN = "no adapter was given"


@torch.no_grad()
def new_adapter_changes_nothing(subject: Subject, draw: torch.Generator) -> Finding:
    """Let a network with a newly made adapter be the network without it.

    Why: training has to begin at what the network already knows, not beside it.

    Measured: logits of random rows with a new adapter against those of the base.
    """
    adapter = subject.adapter
    if adapter is None or adapter.fresh is None:
        return not_applicable(NONE_GIVEN)
    ids = random_ids(subject, draw, 3)
    return equal_logits(subject, adapter.fresh(ids), adapter.base(ids), "a new adapter against the base")


@torch.no_grad()
def adapter_off_is_base(subject: Subject, draw: torch.Generator) -> Finding:
    """Let switching a trained adapter off give back the base, to the bit.

    Why: the network without its adapter is the reference of preference learning; a base that was touched is none.

    Measured: logits of random rows with the adapter switched off against those of the base.
    """
    adapter = subject.adapter
    if adapter is None or adapter.off is None:
        return not_applicable(NONE_GIVEN)
    ids = random_ids(subject, draw, 3)
    if (silent := _silent(subject, adapter, adapter.adapted, draw)) is not None:
        return silent
    return equal_logits(subject, adapter.off(ids), adapter.base(ids), "a trained adapter switched off")


@torch.no_grad()
def merged_equals_unmerged(subject: Subject, draw: torch.Generator) -> Finding:
    """Let an adapter folded into the weights say what it says beside them.

    Why: a merge with the wrong scale, or a transposed one, loads and runs, and is another model than was measured.

    Measured: logits of random rows with the adapter merged against those with it beside the weights.
    """
    adapter = subject.adapter
    if adapter is None or adapter.merged is None or adapter.adapted is None:
        return not_applicable(NONE_GIVEN)
    if (silent := _silent(subject, adapter, adapter.adapted, draw)) is not None:
        return silent
    ids = random_ids(subject, draw, 3)
    return equal_logits(subject, adapter.merged(ids), adapter.adapted(ids), "merged against unmerged")


def _silent(subject: Subject, adapter: Adapter, adapted: Logits | None, draw: torch.Generator) -> Finding | None:
    """Return a broken finding for a trained adapter that moves no logit: nothing could be told with it."""
    if adapted is None:
        return None
    ids = random_ids(subject, draw, 3)
    base = adapter.base(ids)
    moved, least = apart(adapted(ids), base), 10 * tolerance(subject, base)
    if moved > least:
        return None
    return broken(f"the trained adapter moves logits by {moved:.1e}, no more than rounding: it is not in use")
