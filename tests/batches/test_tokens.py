"""Rows as tokens: every input and the last targets are there, in order, with what is learned marked as it is."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.padding import pad
from linnet.batches.tokens import document_numbers, row_tokens, visible
from linnet.text.tokenizer import END, PAD, Tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train_characters(["abcdefgh \n"])


def examples():
    ids = st.lists(st.integers(4, 11), min_size=2, max_size=9)
    return st.lists(ids.flatmap(lambda ids: st.tuples(st.just(ids), masks(len(ids)))), min_size=1, max_size=4)


def masks(length):
    return st.lists(st.booleans(), min_size=length, max_size=length)


@settings(deadline=None, max_examples=60)
@given(examples(), st.booleans())
def test_tokens_give_back_the_examples_that_were_padded(found, mark):
    tokenizer = Tokenizer.train_characters(["abcdefgh \n"])
    batch = pad(found, tokenizer.pad_id, mark=mark)
    for row, (ids, learned) in enumerate(found):
        tokens = [token for token in row_tokens(batch, row, tokenizer) if not token.padding]
        # The last id is in no input: where it is not learned the batch does not hold it.
        kept = len(ids) if learned[-1] else len(ids) - 1
        assert [token.id for token in tokens] == ids[:kept]
        assert [token.learned for token in tokens] == [False, *learned[1:kept]]
        assert [token.predicted_at for token in tokens] == [None, *range(kept - 1)]
        assert [token.position for token in tokens] == list(range(kept))
        assert all(token.wrong_target is None for token in tokens)
        assert [token.begins for token in tokens] == [True] + [False] * (kept - 1)


def test_each_document_of_a_row_ends_with_its_own_last_target(tokenizer):
    a, b, end = *tokenizer.encode("ab"), tokenizer.special(END)
    batch = Batch(
        ids=torch.tensor([[end, a, end, b, 0]]),
        targets=torch.tensor([[a, end, b, end, IGNORE]]),
        documents=torch.tensor([[0, 0, 1, 1, -1]]),
        positions=torch.tensor([[0, 1, 0, 1, 0]]),
    )
    tokens = row_tokens(batch, 0, tokenizer)
    assert [token.text for token in tokens] == [END, "a", END, END, "b", END, END]
    assert [token.learned for token in tokens] == [False, True, True, False, True, True, False]
    assert [token.begins for token in tokens] == [True, False, False, True, False, False, False]
    assert [token.document for token in tokens] == [0, 0, 0, 1, 1, 1, -1]
    assert [token.position for token in tokens][:6] == [0, 1, 2, 0, 1, 2]
    assert [token.padding for token in tokens] == [False] * 6 + [True]
    assert tokens[1].target == end
    assert tokens[2].target is None
    assert [token.special for token in tokens][:2] == [True, False]


def test_a_target_that_is_not_the_next_token_is_wrong(tokenizer):
    a, b, c = tokenizer.encode("abc")
    shifted_twice = Batch(torch.tensor([[a, b, c]]), torch.tensor([[c, a, b]]))
    assert [token.wrong_target for token in row_tokens(shifted_twice, 0, tokenizer)] == [None, c, a, None]


def test_an_unlearned_tail_of_the_padding_token_is_padding_and_nothing_else_is(tokenizer):
    a, end, filler = tokenizer.encode("a")[0], tokenizer.special(END), tokenizer.special(PAD)
    ids = torch.tensor([[a, filler, a, filler], [a, a, filler, filler], [filler, a, end, end]])
    targets = torch.full_like(ids, IGNORE)
    assert document_numbers(Batch(ids, targets), tokenizer).tolist() == [[0, 0, 0, -1], [0, 0, -1, -1], [0, 0, 0, 0]]
    learned = targets.clone()
    learned[1, 3] = a
    assert document_numbers(Batch(ids, learned), tokenizer)[1].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b" bird", " bird"),
        (b"\n\n", "↵\n↵\n"),
        (b"a\tb\r", "a⇥\tb␍"),
        (b"\xe8\xaa", "\\xe8\\xaa"),
        ("\u202e\u200b\x07".encode(), "\\u{202e}\\u{200b}\\u{7}"),
        ("語é✗".encode(), "語é✗"),
    ],
)
def test_everything_in_a_token_can_be_seen(data, shown):
    assert visible(data) == shown
