"""Labelled texts as batches: cut to the context, padded on the right, resumed."""

import pytest
import torch

from linnet.batches.batch import IGNORE
from linnet.batches.labelled import LabelledIds, LabelledRows, as_rows, encode_texts, labelled_batch, row_ends
from linnet.core.errors import BadInput
from linnet.text.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train_characters(["abc"])
END = TOKENIZER.end_id
A, B, C = TOKENIZER.encode("abc")


def test_texts_stand_between_the_tokens_that_begin_and_end_them():
    assert encode_texts(["ab", "abcabc", ""], TOKENIZER, 5) == [
        (END, A, B, END),
        (END, A, B, C, END),
        (END, END),
    ]
    assert row_ends(TOKENIZER) == (END, END)
    bert = Tokenizer.train_characters(["ab"], ("[CLS]", "[SEP]", "[PAD]", "[MASK]"))
    assert row_ends(bert) == (bert.special("[CLS]"), bert.special("[SEP]"))


def test_a_batch_and_how_it_is_shown():
    batch = labelled_batch([LabelledIds((END, A, B, END), 1), LabelledIds((END, C), 0)], 9)
    assert batch.ids.tolist() == [[END, A, B, END], [END, C, 9, 9]]
    assert batch.lengths.tolist() == [4, 2]
    assert batch.labels.tolist() == [1, 0]
    assert batch.learned == 2
    shown = as_rows(batch)
    assert shown.targets.tolist() == [[IGNORE, IGNORE, END, IGNORE], [C, IGNORE, IGNORE, IGNORE]]
    assert shown.documents.tolist() == [[0] * 4, [0, 0, -1, -1]]
    assert batch.rows(slice(1, 2)).to("cpu").labels.tolist() == [0]


def test_each_text_once_an_epoch_and_resumed():
    items = [LabelledIds((A, n), n % 2) for n in range(6)]
    one = LabelledRows(items, 2, 0, END)
    drawn = [one.next() for _ in range(3)]
    assert sorted(row[1] for batch in drawn for row in batch.ids.tolist()) == list(range(6))
    again = LabelledRows(items, 2, 0, END)
    again.restore(one.state() | {"drawn": 2})
    assert torch.equal(again.next().ids, drawn[2].ids)
    swapped = [LabelledIds(item.ids, 1 - item.label) for item in items]
    with pytest.raises(BadInput, match="labelled was"):
        LabelledRows(swapped, 2, 0, END).restore(one.state())
    assert [batch.ids[0, 1].item() for batch in one.in_order()] == [0, 2, 4]
