"""Pairs in the chat format: what is learned, what is left out, the order of batches, and who is held out."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.batches.batch import IGNORE
from linnet.batches.pairs import Pair, PairIds, Pairs, data_hash, encode, hold_out, pair_batch, pair_ids
from linnet.core.errors import BadInput
from linnet.text.chat import Message, render, stop_id
from linnet.text.tokenizer import Tokenizer

TALK = (Message("system", "be kind"), Message("user", "hello"), Message("assistant", "hi"), Message("user", "who?"))


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train_characters(["abcdefghijklmnopqrstuvwxyz !?.,\n<|_>"])


def some(count=7):
    return [PairIds((1, n), (2,) * (1 + n % 3), (3, n), f"r{n % 2}") for n in range(count)]


def test_only_the_two_last_answers_are_answers(tokenizer):
    ids = pair_ids(Pair(TALK, " a cat ", "<|im_end|> no"), tokenizer)
    stop = stop_id(tokenizer)
    assert tokenizer.decode(ids.chosen[:-1]) == "a cat"
    assert tokenizer.decode(ids.rejected[:-1]) == "<|im_end|> no"
    assert [ids.chosen[-1], ids.rejected[-1]] == [stop, stop]
    assert stop not in ids.rejected[:-1]  # words of a message are never special
    assert list(ids.prompt) == render(tokenizer, TALK, reply=True).ids
    whole = render(tokenizer, [*TALK, Message("assistant", "a cat")]).ids
    assert whole[: len(ids.prompt) + len(ids.chosen)] == [*ids.prompt, *ids.chosen]


def test_unfinished_answers_do_not_teach_to_stop(tokenizer):
    whole, broken = (pair_ids(Pair(TALK, "a cat", "a c", unfinished=cut), tokenizer) for cut in (False, True))
    stop = stop_id(tokenizer)
    assert (broken.chosen, broken.rejected) == (whole.chosen[:-1], whole.rejected[:-1])
    assert stop not in (*broken.chosen, *broken.rejected)
    assert tokenizer.decode(broken.chosen) == "a cat"


def test_a_batch_learns_the_answers_and_nothing_else():
    items = some(3)
    batch = pair_batch(items, pad_id=9, reference=torch.tensor([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]))
    assert batch.pairs == 3
    assert batch.reference.tolist() == [1, 2, 3, 4, 5, 6]
    rows = [(item.prompt, answer) for answer in ("chosen", "rejected") for item in items]
    wanted = [getattr(item, side) for side in ("chosen", "rejected") for item in items]
    for row, ((prompt, _), answer) in enumerate(zip(rows, wanted, strict=True)):
        targets = batch.rows.targets[row].tolist()
        assert [t for t in targets if t != IGNORE] == list(answer)
        assert targets[: len(prompt) - 1] == [IGNORE] * (len(prompt) - 1)
        assert batch.rows.ids[row, : len(prompt)].tolist() == list(prompt)
    assert batch.rows.documents is None
    assert pair_batch(items, pad_id=9, mark=True).rows.documents.min() == -1
    assert batch.to("cpu").pairs == 3


def test_what_cannot_be_learned_is_left_out_and_counted(tokenizer):
    good = Pair((Message("user", "a"),), "b", "c")
    long = Pair((Message("user", "a" * 50),), "b", "c")
    equal = Pair((Message("user", "a"),), "b ", " b")
    size = pair_ids(good, tokenizer).tokens
    found = encode([good, long, equal, None, good], tokenizer, context=size - 1)
    assert (len(found.items), found.too_long, found.equal, found.no_pair) == (2, 1, 1, 1)
    assert "too long" in found.line()
    assert "two equal answers" in found.line()
    assert "different talks" in found.line()
    with pytest.raises(BadInput, match="no pair to learn from: 1 are longer"):
        encode([good], tokenizer, context=size - 2)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 12), st.integers(0, 3))
def test_batches_go_on_where_they_were(count, size, drawn, seed):
    def fresh():
        pairs = Pairs(some(count), size, seed, pad_id=9)
        pairs.reference = torch.arange(2.0 * count).view(count, 2)
        return pairs

    whole, stopped, resumed = fresh(), fresh(), fresh()
    for _ in range(drawn):
        whole.next()
        stopped.next()
    resumed.restore(json.loads(json.dumps(stopped.state())))
    for _ in range(3):
        a, b = whole.next(), resumed.next()
        assert torch.equal(a.rows.ids, b.rows.ids)
        assert torch.equal(a.reference, b.reference)


def test_each_pair_once_an_epoch_with_its_own_reference():
    pairs = Pairs(some(7), 7, seed=1, pad_id=9)
    pairs.reference = torch.tensor([[float(n), n + 0.5] for n in range(7)])
    first, second = (pairs.next() for _ in range(2))
    for batch in (first, second):
        numbers = batch.rows.ids[:7, 1].tolist()
        assert sorted(numbers) == list(range(7))
        assert batch.reference.tolist() == [float(n) for n in numbers] + [n + 0.5 for n in numbers]
    assert first.rows.ids[:7, 1].tolist() != second.rows.ids[:7, 1].tolist()


def test_pairs_that_will_be_drawn_are_known_before():
    pairs = Pairs(some(9), 2, seed=3, pad_id=9)
    known = pairs.drawn_in(3)
    assert sorted(n for _ in range(3) for n in pairs.next().rows.ids[:2, 1].tolist()) == known
    assert pairs.drawn_in(5) == list(range(9))


def test_a_position_in_other_pairs_is_refused():
    state = Pairs(some(5), 2, seed=0, pad_id=9).state()
    with pytest.raises(BadInput, match="pairs was"):
        Pairs(some(6), 2, seed=0, pad_id=9).restore(state)
    assert data_hash(some(5)) != data_hash([*some(4), PairIds((1, 4), (2, 2), (3, 5))])
    # Where a prompt ends and an answer begins counts.
    assert data_hash([PairIds((1,), (2, 3), (4,))]) != data_hash([PairIds((1, 2), (3,), (4,))])


def test_no_prompt_is_on_both_sides():
    items = [PairIds((n // 3,), (1,), (2,)) for n in range(900)]
    learn, held_out = hold_out(items, 0.2)
    assert len(learn) + len(held_out) == 900
    assert not {item.prompt for item in learn} & {item.prompt for item in held_out}
    assert 0.1 < len(held_out) / 900 < 0.3
    assert hold_out(items[:300], 0.2)[1] == [item for item in held_out if item in items[:300]]
