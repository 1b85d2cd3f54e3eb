"""Who knows of whom: a token of all before it, of none after it; a decoder of its whole source.

B rows, T tokens, S source tokens, V vocabulary.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from linnet.prove.measuring import (
    apart,
    awake,
    equal_logits,
    noise,
    other_ids,
    past_the_window,
    ragged_lengths,
    random_ids,
    shaken,
    tolerance,
)
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, broken, held, judged, not_applicable

ROWS = 3  # random rows tried: a token that happens not to matter in one of them matters in another


@torch.no_grad()
def causality(subject: Subject, draw: torch.Generator) -> Finding:
    """Let no token change a logit before it.

    Why: a model that sees the token it is to predict learns to copy it; its loss is too good and it cannot write.

    Measured: each place of random rows gets another token, one at a time; the logits before it must stay.
    """
    if subject.both_ways:
        return not_applicable("an encoder reads both ways")
    if subject.depends_on_batch:
        return not_applicable(subject.depends_on_batch)
    with awake(subject, draw) as said:
        moved, logits = influence(subject.logits, *_one_by_one(subject, draw))
        limit = tolerance(subject, logits)
    # moved[j, i]: what token j does to the logits of place i
    backwards = moved.tril(-1)
    worst, (token, place) = float(backwards.max()), _where(backwards)
    pairs = moved.shape[0] * (moved.shape[0] - 1) // 2
    limits = f"rounding allows {limit:.1e}; {pairs} pairs of places{said}"
    if not worst <= limit < float("inf"):
        return broken(f"the token of place {token} moves the logits of place {place} by {worst:.1e}, {limits}")
    return held(f"no token moves an earlier logit by more than {worst:.1e}, {limits}")


@torch.no_grad()
def every_earlier_token_matters(subject: Subject, draw: torch.Generator) -> Finding:
    """Let each token, and each before it that the architecture can see, change the logits.

    Why: a mask that hides too much, a forgotten cache or a lost token makes a model that reads less than it is given.

    Measured: each place of random rows gets another token, one at a time; the logits from there on must change by
    more than rounding, with the weights as they are or, where these hide it, with shaken ones.
    """
    if subject.depends_on_batch:
        return not_applicable(subject.depends_on_batch)
    ids, changed = _one_by_one(subject, draw)
    tokens = ids.shape[1]
    reads = subject.reading.reads
    sees = torch.ones(tokens, tokens, dtype=torch.bool).tril() if reads is None else reads(tokens).cpu()

    def deaf() -> tuple[Tensor, float]:
        moved, logits = influence(subject.logits, ids, changed)
        return sees & ~(noise(subject, logits) < moved.T), float(moved.T[sees].min())

    missing, least = deaf()
    said = ""
    if bool(missing.any()):
        said = " (weights shaken: as they are, not every token matters)"
        with shaken(subject.model, draw):
            missing, least = deaf()
    if bool(missing.any()):
        place, token = missing.nonzero()[0].tolist()
        evidence = f"the token of place {token} does nothing to the logits of place {place}"
        return judged(False, f"{evidence}; so in {int(missing.sum())} of {int(sees.sum())} pairs{said}")
    return held(f"all {int(sees.sum())} pairs of places; the weakest moves a logit by {least:.1e}{said}")


@torch.no_grad()
def every_source_token_matters(subject: Subject, draw: torch.Generator) -> Finding:
    """Let each token of the source change what the decoder says.

    Why: a decoder that never reads its source still learns to write: its loss falls, and it answers no question.

    Measured: each source token of random rows is replaced, one at a time; some logit must change by more than
    rounding, with the weights as they are or, where these hide it, with shaken ones.
    """
    if subject.source is None:
        return not_applicable("no encoder: there is no source to read")
    read = subject.source.logits
    target = random_ids(subject, draw, ROWS, 6)
    sources, changed = _one_by_one(subject, draw)

    def strength() -> tuple[Tensor, float]:
        before = read(sources, target)
        moved = [apart(read(one, target), before) for one in _replaced(sources, changed)]
        return torch.tensor(moved), noise(subject, before)

    moved, floor = strength()
    said = ""
    if not bool((moved > floor).all()):
        said = " (weights shaken: as they are, not every source token matters)"
        with shaken(subject.model, draw):
            moved, floor = strength()
    deaf = (~(moved > floor)).nonzero().flatten().tolist()
    if deaf:
        return judged(False, f"source tokens {deaf} of {len(moved)} change no logit of the decoder{said}")
    return held(f"each of {len(moved)} source tokens moves a logit, the weakest by {float(moved.min()):.1e}{said}")


@torch.no_grad()
def source_padding_changes_nothing(subject: Subject, draw: torch.Generator) -> Finding:
    """Let padding of the sources change no logit of the decoder.

    Why: an answer must not depend on how long the other sources of its batch are.

    Measured: sources of several lengths in one batch against each alone, random tokens standing at the padding.
    """
    if subject.source is None or subject.source.padded is None:
        return not_applicable("no encoder that takes padded sources")
    lengths = ragged_lengths(8, 4).to(subject.device)
    sources, target = random_ids(subject, draw, 4, 8), random_ids(subject, draw, 4, 6)
    source = subject.source
    with awake(subject, draw, lambda ids: source.logits(ids, target[:2])) as said:
        alone = [
            source.logits(sources[row : row + 1, :size], target[row : row + 1]) for row, size in enumerate(lengths)
        ]
        together = subject.source.padded(sources, lengths, target)
        return equal_logits(subject, together, torch.cat(alone), f"sources of {lengths.tolist()} tokens{said}")


def influence(logits: Callable[[Tensor], Tensor], ids: Tensor, changed: Tensor) -> tuple[Tensor, Tensor]:
    """Return [T, T], what another token at j does at most to the logits of place i, and the logits as they were."""
    before = logits(ids)
    moved = []
    for one in _replaced(ids, changed):
        difference = (logits(one).double() - before.double()).abs().amax((0, 2))
        moved.append(difference.nan_to_num(nan=float("inf")).cpu())
    return torch.stack(moved), before


def _replaced(ids: Tensor, changed: Tensor) -> list[Tensor]:
    """Return copies of ids [B, T], the j-th with the changed tokens at place j."""
    copies = []
    for place in range(ids.shape[1]):
        one = ids.clone()
        one[:, place] = changed[:, place]
        copies.append(one)
    return copies


def _one_by_one(subject: Subject, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    ids = random_ids(subject, draw, ROWS, past_the_window(subject, most=32))
    return ids, other_ids(subject, ids, draw)


def _where(matrix: Tensor) -> tuple[int, int]:
    flat = int(matrix.argmax())
    return flat // matrix.shape[1], flat % matrix.shape[1]
