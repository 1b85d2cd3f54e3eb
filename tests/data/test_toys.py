"""Toy tasks: the targets are what they are said to be, sources are each there once, and a seed means the same."""

import pytest

from linnet.core.errors import BadInput
from linnet.data.toys import LONGEST, SHORTEST, is_toy, toy_rows


@pytest.mark.parametrize(("name", "turn"), [("reversal", lambda s: s[::-1]), ("sorting", lambda s: "".join(sorted(s)))])
def test_targets(name, turn):
    rows = list(toy_rows(f"{name}:300"))
    assert len({row["source"] for row in rows}) == 300
    assert all(row["target"] == turn(row["source"]) for row in rows)
    assert {len(row["source"]) for row in rows} == set(range(SHORTEST, LONGEST + 1))


def test_a_seed_means_the_same_and_other_words_are_refused():
    assert list(toy_rows("sorting:5:7")) == list(toy_rows("sorting:5:7"))
    assert list(toy_rows("sorting:5:7")) != list(toy_rows("sorting:5"))
    assert is_toy("reversal:10")
    assert not is_toy("reversals.jsonl")
    for word in ("reversal:0", "reversal:x", "reversal:1:2:3"):
        with pytest.raises(BadInput, match="toy task"):
            list(toy_rows(word))
