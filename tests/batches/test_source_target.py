"""Sources and targets as batches: padded on the right, ended, started, drawn once an epoch and resumed."""

import pytest
import torch

from linnet.batches.batch import IGNORE
from linnet.batches.source_target import (
    SourceTarget,
    SourceTargetRows,
    as_rows,
    encode_pairs,
    source_target_batch,
    start_of,
)
from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig
from linnet.text.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train_characters(["abc"])
END, PAD = TOKENIZER.end_id, TOKENIZER.pad_id
A, B, C = TOKENIZER.encode("abc")
ITEMS = [SourceTarget((A + n % 3, END), (C, A + n % 3, END)) for n in range(7)]


def rows(seed: int = 0) -> SourceTargetRows:
    return SourceTargetRows(ITEMS, 3, seed, PAD, END)


def test_a_batch_has_sources_with_ends_and_targets_that_are_next_tokens():
    items, too_long = encode_pairs([("abc", "a"), ("b", "cc"), ("a" * 9, "b"), ("", "")], TOKENIZER, 8)
    assert too_long == [2]
    assert items[0] == SourceTarget((A, B, C, END), (A, END))
    batch = source_target_batch(items, PAD, 7)
    assert batch.source.tolist() == [[A, B, C, END], [B, END, PAD, PAD], [END, PAD, PAD, PAD]]
    assert batch.source_lengths.tolist() == [4, 2, 1]
    assert batch.target.ids.tolist() == [[7, A, PAD], [7, C, C], [7, PAD, PAD]]
    assert batch.target.targets.tolist() == [[A, END, IGNORE], [C, C, END], [END, IGNORE, IGNORE]]
    assert batch.learned == 6
    assert batch.rows(slice(1)).source.tolist() == [[A, B, C, END]]
    assert torch.equal(batch.to("cpu").target.targets, batch.target.targets)


def test_nothing_that_fits_is_refused():
    with pytest.raises(BadInput, match=r"fits the context of 3 tokens \(1 are longer\)"):
        encode_pairs([("abcabc", "a")], TOKENIZER, 3)


def test_the_start_token_is_the_networks_own_or_the_end_token():
    assert start_of(ModelConfig(), TOKENIZER) == END
    assert start_of(ModelConfig(start_id=0), TOKENIZER) == 0


def test_each_pair_is_drawn_once_an_epoch_and_a_position_is_resumed():
    one = rows()
    drawn = [one.next() for _ in range(7)]
    seen = sorted(tuple(row) for batch in drawn for row in batch.target.ids.tolist())
    assert seen == sorted((END, C, item.target[1]) for item in ITEMS * 3)
    again = rows()
    again.restore(one.state() | {"drawn": 4})
    assert torch.equal(again.next().source, drawn[4].source)
    with pytest.raises(BadInput, match="seed was 0, is 1"):
        rows(1).restore(one.state())
    other = SourceTargetRows(ITEMS, 3, 0, PAD, 9)
    with pytest.raises(BadInput, match="start was"):
        other.restore(one.state())


def test_all_pairs_in_order_of_length_and_a_part_of_every_length():
    one = SourceTargetRows([SourceTarget((A,) * n, (END,)) for n in range(1, 13)][::-1], 2, 0, PAD, END)
    assert next(one.in_order()).source_lengths.tolist() == [1, 2]
    assert sum(len(batch.source) for batch in one.in_order()) == 12
    part = [size for batch in one.in_order(2) for size in batch.source_lengths.tolist()]
    assert part == [1, 4, 7, 10]


def test_rows_for_people_hold_both_sides_and_learn_the_target():
    batch = source_target_batch([SourceTarget((A, B, END), (B, A, END)), SourceTarget((A, END), (C, END))], PAD, END)
    shown = as_rows(batch)
    assert shown.ids.tolist()[0] == [A, B, END, B, A]
    assert shown.targets.tolist()[0] == [IGNORE, IGNORE, B, A, END]
    assert shown.documents.tolist()[1] == [0, 0, 0, -1, -1]
    other = as_rows(source_target_batch([SourceTarget((A, END), (C, END))], PAD, 9))
    assert other.ids.tolist() == [[A, END, 9, C]]
