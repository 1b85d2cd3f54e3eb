"""Examples of different lengths in one batch, filled up on the right."""

from collections.abc import Sequence

import torch

from linnet.batches.batch import IGNORE, Batch


def pad(
    examples: Sequence[tuple[Sequence[int], Sequence[bool]]], pad_id: int, width: int | None = None, mark: bool = False
) -> Batch:
    """Return a batch [B, T] of (ids, which are learned); T is the tokens of the longest example less one, or `width`.

    An id that is learned is a target at the place before it; the first id can never be one. With `mark`, padding
    is -1 in `documents`; without, `documents` is None, as under a causal mask no token sees padding on its right.
    Raises ValueError for no examples, masks of another length, and examples that do not fit `width`.
    """
    if not examples:
        raise ValueError("a batch needs at least one example")
    longest = max(len(ids) for ids, _ in examples) - 1
    width = longest if width is None else width
    if longest > width or longest < 1:
        raise ValueError(
            f"the longest example has {longest + 1} tokens; it must have 2 to {width + 1} for width {width}"
        )
    inputs = torch.full((len(examples), width), pad_id, dtype=torch.int64)
    targets = torch.full((len(examples), width), IGNORE, dtype=torch.int64)
    documents = torch.full((len(examples), width), -1, dtype=torch.int64) if mark else None
    for row, (ids, learned) in enumerate(examples):
        if len(ids) != len(learned):
            raise ValueError(f"example {row} has {len(ids)} ids and a mask of {len(learned)}")
        tokens = torch.tensor(list(ids), dtype=torch.int64)
        size = max(len(tokens) - 1, 0)
        inputs[row, :size] = tokens[:-1]
        wanted = torch.tensor(list(learned), dtype=torch.bool)[1:]
        targets[row, :size] = torch.where(wanted, tokens[1:], IGNORE)
        if documents is not None:
            documents[row, :size] = 0
    return Batch(inputs, targets, documents)
