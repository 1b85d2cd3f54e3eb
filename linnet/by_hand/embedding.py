"""The embedding: a row of a table for each id, the one place where text becomes numbers that can be learned."""

import numpy as np

from linnet.by_hand.operation import Array, Back


def embedding(ids: Array, table: Array) -> tuple[Array, Back]:
    """Return the rows [..., D] of table [V, D] at ids [...].

    It is a product with one-hot rows, y = onehot(ids) table, so dtable = onehot^T dy: each row of the table gets the
    sum over the places where its id stands, and ids that do not occur get zero. `back` returns dtable.
    Raises ValueError for an id outside the table.
    """
    if ids.size and not (ids.min() >= 0 and ids.max() < len(table)):
        raise ValueError(f"ids run from {ids.min()} to {ids.max()}, and the table has {len(table)} rows")

    def back(dy: Array) -> Array:
        dtable = np.zeros_like(table)
        np.add.at(dtable, ids, dy)  # unlike dtable[ids] += dy, this counts an id as often as it occurs
        return dtable

    return table[ids], back
