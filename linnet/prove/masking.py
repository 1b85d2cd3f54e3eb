"""Guessing hidden tokens (a masked language model): which are hidden, how, and that no other is learned.

B rows, T tokens.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from linnet.prove.loss import LOSS_TOLERANCE
from linnet.prove.measuring import awake, precision, random_ids
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, broken, held, judged, not_applicable

NONE_GIVEN = "no hiding of tokens was given"
HIDDEN, REPLACED = 0.8, 0.1  # of those that are chosen: the mask token, another token; the rest stay (BERT)
CHANCE = 5  # deviations of a share that is drawn by dice


@torch.no_grad()
def only_hidden_tokens_are_learned(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the loss be the mean cross-entropy of the tokens that were chosen, at their own places, and of no others.

    Why: a loss over all tokens is mostly that of copying what can be seen; it falls fast and teaches nothing.

    Measured: random rows with tokens hidden, against the same mean worked out from the logits of what is shown.
    """
    if subject.masking is None:
        return not_applicable(NONE_GIVEN)
    ids = _plain_ids(subject, draw, 8, 32)
    with awake(subject, draw) as said:
        shown, chosen = subject.masking.mask(ids, 0)
        found = float(subject.masking.loss(shown, ids, chosen))
        losses = F.cross_entropy(subject.logits(shown).double().transpose(1, 2), ids, reduction="none")
        right = float(losses[chosen].mean())
        if abs(found - right) <= LOSS_TOLERANCE[precision(subject)] * max(1.0, right):
            return held(f"{found:.4f} over {int(chosen.sum())} of {ids.numel()} tokens{said}")
        others = {
            "of all tokens": losses.mean(),
            "of the tokens that were not hidden": losses[~chosen].mean(),
            "of the chosen ones divided by all": losses[chosen].sum() / ids.numel(),
            "one place too early": losses[:, :-1][chosen[:, 1:]].mean()
            if chosen[:, 1:].any()
            else losses.new_zeros(()),
        }
        near = 0.01 * max(1.0, right)
        like = next(
            (f": it is the mean {what}" for what, loss in others.items() if abs(float(loss) - found) < near), ""
        )
    return broken(f"the loss is {found:.4f}, {right:.4f} is right{like}{said}")


@torch.no_grad()
def tokens_are_hidden_as_they_should_be(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the share that was asked for be chosen; 80% of it hidden, 10% replaced, 10% left, and the others untouched.

    Why: a draw that takes places twice, or dice that fall alike for every batch, teach from fewer tokens than said;
    what stays in sight always need not be guessed.

    Measured: the counts over many random rows, and whether another batch has other places.
    """
    if subject.masking is None:
        return not_applicable(NONE_GIVEN)
    masking, tokens = subject.masking, min(subject.longest, 64)
    ids = _plain_ids(subject, draw, 64, tokens)
    pairs = [masking.mask(ids, number) for number in range(8)]
    if all(torch.equal(pairs[0][1], chosen) for _, chosen in pairs[1:]):
        return broken(f"{len(pairs)} batches have the same {int(pairs[0][1].sum())} places hidden")
    touched = sum(int(((shown != ids) & ~chosen).sum()) for shown, chosen in pairs)
    if touched:
        return broken(f"{touched} tokens that are not to be guessed were changed")
    count = sum(int(chosen.sum()) for _, chosen in pairs)
    open_to = sum(int(masking.open_to(ids).sum()) for _ in pairs)
    hidden = sum(int((shown == masking.mask_id)[chosen].sum()) for shown, chosen in pairs)
    same = sum(int((shown == ids)[chosen].sum()) for shown, chosen in pairs)
    # A replacement may be the very token: those that stay are the last tenth, and a few of the others.
    stay = 1 - HIDDEN - REPLACED + REPLACED / subject.vocab_size
    evidence = []
    exact = 0.5 / tokens  # a row has a whole number of tokens to guess
    for what, number, of, share, room in (
        ("chosen", count, open_to, masking.share, exact),
        ("hidden", hidden, count, HIDDEN, 0.0),
        ("left as they were", same, count, stay, 0.01),
    ):
        off = abs(number / max(1, of) - share)
        evidence.append(f"{number / max(1, of):.1%} {what}")
        if off > room + CHANCE * (share * (1 - share) / max(1, of)) ** 0.5:
            return broken(f"{number} of {of} tokens are {what}: {number / max(1, of):.1%}, and {share:.1%} is right")
    return held(f"{', '.join(evidence)}, of {open_to} tokens in {len(pairs)} batches, each with places of its own")


@torch.no_grad()
def a_class_is_that_of_the_row_alone(subject: Subject, draw: torch.Generator) -> Finding:
    """Let a row be classed the same alone and beside longer ones, and the loss be the mean cross-entropy of that.

    Why: a class that is read at the padding changes with whoever else is in the batch; trained so, it is a class of
    lengths.

    Measured: rows of several lengths together against each alone, and the loss against what their scores give.
    """
    if subject.classifying is None:
        return not_applicable("no classes were given")
    classifying = subject.classifying
    rows = [random_ids(subject, draw, 1, size)[0].tolist() for size in (16, 9, 4, 1)]
    with awake(subject, draw) as said:
        together = classifying.scores(rows)
        alone = torch.cat([classifying.scores([row]) for row in rows])
        labels = torch.arange(len(rows), device=together.device) % together.shape[1]
        found, right = float(classifying.loss(rows, labels.tolist())), float(F.cross_entropy(alone.double(), labels))
    size = max(1.0, float(alone.abs().max()))
    apart = float((together - alone).abs().max())
    limit = LOSS_TOLERANCE[precision(subject)]
    if apart > limit * size:
        return broken(
            f"rows of {[len(row) for row in rows]} tokens together and alone have scores {apart:.1e} apart{said}"
        )
    return judged(abs(found - right) <= limit * max(1.0, right), f"loss {found:.4f}, {right:.4f} is right{said}")


def _plain_ids(subject: Subject, draw: torch.Generator, rows: int, tokens: int) -> Tensor:
    """Draw ids [B, T] without the one that hides: no text has it."""
    assert subject.masking is not None
    ids, mask_id = random_ids(subject, draw, rows, tokens), subject.masking.mask_id
    return torch.where(ids == mask_id, (mask_id + 1) % subject.vocab_size, ids)
