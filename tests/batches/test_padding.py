"""Padding: real tokens untouched, targets shifted and only where learned."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.batches.batch import IGNORE
from linnet.batches.padding import pad

EXAMPLE = st.lists(st.tuples(st.integers(1, 99), st.booleans()), min_size=1, max_size=9)


@settings(deadline=None)
@given(st.lists(EXAMPLE, min_size=1, max_size=5).filter(lambda rows: max(map(len, rows)) > 1))
def test_each_learned_id_is_the_target_of_the_place_before(rows):
    examples = [([id for id, _ in row], [learned for _, learned in row]) for row in rows]
    batch = pad(examples, pad_id=0, mark=True)
    for b, (ids, learned) in enumerate(examples):
        for t in range(batch.ids.shape[1]):
            real = t < len(ids) - 1
            assert batch.ids[b, t] == (ids[t] if real else 0)
            assert batch.targets[b, t] == (ids[t + 1] if real and learned[t + 1] else IGNORE)
            assert batch.documents[b, t] == (0 if real else -1)


def test_width_and_no_marks():
    batch = pad([([1, 2], [True, True])], pad_id=9, width=4)
    assert batch.ids.tolist() == [[1, 9, 9, 9]]
    assert batch.targets.tolist() == [[2, IGNORE, IGNORE, IGNORE]]
    assert batch.documents is None
    assert batch.ids.dtype == torch.int64


@pytest.mark.parametrize(
    ("examples", "width", "message"),
    [
        ([], None, "at least one"),
        ([([1, 2, 3], [True, True, True])], 1, "2 to 2 for width 1"),
        ([([1], [True])], None, "has 1 tokens"),
        ([([1, 2], [True])], None, "mask of 1"),
    ],
)
def test_what_cannot_be_padded_is_refused(examples, width, message):
    with pytest.raises(ValueError, match=message):
        pad(examples, pad_id=0, width=width)
