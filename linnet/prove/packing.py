"""Packed rows: documents that share a row neither see each other nor count on from each other.

B rows, T tokens, V vocabulary.
"""

import torch
from torch import Tensor

from linnet.prove.measuring import apart, awake, equal_logits, other_ids, random_ids, tolerance
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, judged, not_applicable

SHARES = (0.35, 0.1, 0.55)  # of a row that its documents take


@torch.no_grad()
def packed_documents_do_not_see_each_other(subject: Subject, draw: torch.Generator) -> Finding:
    """Let no token of a document change the logits of another document in its row.

    Why: rows that see each other learn to predict a text from one that has nothing to do with it.

    Measured: each document of packed random rows gets other tokens, one at a time; the logits elsewhere must stay.
    """
    if (reason := _not_packed(subject)) is not None:
        return reason
    assert subject.reading.packed is not None
    ids, documents = _packed(subject, draw)
    with awake(subject, draw) as said:
        logits = subject.reading.packed(ids, documents)
        limit, worst, seen = tolerance(subject, logits), 0.0, ""
        for number in range(len(SHARES)):
            inside = documents == number
            changed = torch.where(inside, other_ids(subject, ids, draw), ids)
            other = subject.reading.packed(changed, documents)
            moved = apart(other[~inside], logits[~inside])
            if moved >= worst:
                worst, seen = moved, f"logits outside document {number} move by {moved:.1e} with its tokens"
    return judged(worst <= limit < float("inf"), f"{seen}, rounding allows {limit:.1e}{said}")


@torch.no_grad()
def packed_equals_alone(subject: Subject, draw: torch.Generator) -> Finding:
    """Let each document of a packed row have the logits that it has alone.

    Why: positions that go on from the document before teach a model that texts begin anywhere.

    Measured: documents of several lengths in random rows, against each alone in a row of its own.
    """
    if (reason := _not_packed(subject)) is not None:
        return reason
    assert subject.reading.packed is not None
    ids, documents = _packed(subject, draw)
    with awake(subject, draw) as said:
        packed = subject.reading.packed(ids, documents)
        alone = torch.cat([subject.logits(ids[:, documents[0] == number]) for number in range(len(SHARES))], dim=1)
        sizes = documents[0].bincount().tolist()
        return equal_logits(subject, packed, alone, f"documents of {sizes} tokens in a row{said}")


def _not_packed(subject: Subject) -> Finding | None:
    if subject.reading.packed is None:
        return not_applicable("no reading of packed rows was given")
    return not_applicable(subject.depends_on_batch) if subject.depends_on_batch else None


def _packed(subject: Subject, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw ids [B, T] and the numbers of their documents, the same in each row."""
    ids = random_ids(subject, draw, 2)
    ends = (torch.tensor(SHARES).cumsum(0) * ids.shape[1]).round()
    documents = (torch.arange(ids.shape[1])[:, None] >= ends).sum(-1).clamp(max=len(SHARES) - 1)
    return ids, documents.expand(ids.shape).contiguous().to(ids.device)
