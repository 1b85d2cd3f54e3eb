"""Company changes nothing: not padding, not the number of rows, not their order.

B rows, T tokens, V vocabulary.
"""

import torch

from linnet.prove.measuring import awake, equal_logits, other_ids, ragged_lengths, random_ids
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, not_applicable

ROWS = 5


@torch.no_grad()
def padding_changes_nothing(subject: Subject, draw: torch.Generator) -> Finding:
    """Let a row have the same logits alone and filled up on the right to the length of longer ones.

    Why: batches of examples are padded; what is learned, or scored, must not depend on who else is in the batch.

    Measured: rows of several lengths in one batch, random tokens standing at the padding, against each row alone.
    """
    return _padded(subject, draw, left=False)


@torch.no_grad()
def left_padding_changes_nothing(subject: Subject, draw: torch.Generator) -> Finding:
    """Let a row have the same logits alone and filled up on the left.

    Why: batches are written from the right edge; positions that count the padding shift every shorter prompt.

    Measured: rows of several lengths in one batch, random tokens standing at the padding, against each row alone.
    """
    return _padded(subject, draw, left=True)


@torch.no_grad()
def batch_size_changes_nothing(subject: Subject, draw: torch.Generator) -> Finding:
    """Let a row have the same logits alone and in a batch of any size, whoever the others are.

    Why: statistics over the batch, or rows that read each other, make every score depend on the batch size.

    Measured: rows in one batch and in batches of one and two, and the first row beside other rows.
    """
    if subject.depends_on_batch:
        return not_applicable(subject.depends_on_batch)
    ids = random_ids(subject, draw, ROWS)
    others = ids.clone()
    others[1:] = other_ids(subject, ids[1:], draw)
    with awake(subject, draw) as said:
        alone = torch.cat([subject.logits(row) for row in ids.split(1)])
        found = [
            equal_logits(subject, subject.logits(ids), alone, f"{ROWS} rows at once against each alone{said}"),
            equal_logits(subject, torch.cat([subject.logits(two) for two in ids.split(2)]), alone, f"two rows{said}"),
            equal_logits(subject, subject.logits(others)[:1], alone[:1], f"a row beside other rows{said}"),
        ]
    return next((finding for finding in found if finding.status == "broken"), found[0])


@torch.no_grad()
def batch_order_changes_nothing(subject: Subject, draw: torch.Generator) -> Finding:
    """Let rows have the same logits in any order.

    Why: a row that is told by its place in the batch is told apart by something that does not exist when it is used.

    Measured: rows in reverse, and turned around by two, against the rows as they were.
    """
    if subject.depends_on_batch:
        return not_applicable(subject.depends_on_batch)
    ids = random_ids(subject, draw, ROWS)
    with awake(subject, draw) as said:
        logits = subject.logits(ids)
        found = []
        for order in (list(reversed(range(ROWS))), [(row + 2) % ROWS for row in range(ROWS)]):
            found.append(equal_logits(subject, subject.logits(ids[order]), logits[order], f"rows as {order}{said}"))
    return next((finding for finding in found if finding.status == "broken"), found[0])


def _padded(subject: Subject, draw: torch.Generator, left: bool) -> Finding:
    read = subject.reading.left_padded if left else subject.reading.padded
    if read is None:
        return not_applicable(f"no reading of rows padded on the {'left' if left else 'right'} was given")
    if subject.depends_on_batch:
        return not_applicable(subject.depends_on_batch)
    ids = random_ids(subject, draw, ROWS)
    tokens = ids.shape[1]
    lengths = ragged_lengths(tokens, ROWS)
    parts = [slice(tokens - size, tokens) if left else slice(0, size) for size in lengths.tolist()]
    with awake(subject, draw) as said:
        together = read(ids, lengths.to(ids.device))
        alone = torch.cat([subject.logits(ids[row : row + 1, part])[0] for row, part in enumerate(parts)])
        real = torch.cat([together[row, part] for row, part in enumerate(parts)])
        return equal_logits(subject, real, alone, f"rows of {lengths.tolist()} tokens{said}")
