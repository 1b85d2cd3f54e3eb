"""Conversations in rows: cut after a whole reply, apart from each other, learned exactly, resumed."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.batches.batch import IGNORE
from linnet.batches.conversations import Conversations, Example, data_hash, fit
from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.text.chat import Rendered
from linnet.train.objectives import next_token


def rendered(marks, first=5):
    """Return a conversation of ids 5, 6, 7, ... in which the places of x are learned."""
    return Rendered(list(range(first, first + len(marks))), [mark == "x" for mark in marks])


def example(size, start=5, learned=None):
    mask = np.ones(size, dtype=bool) if learned is None else np.array(learned)
    return Example(np.arange(start, start + size, dtype=np.int32), mask)


def kept(marks, context):
    """Return how many ids are kept of a conversation, or None."""
    found = fit([rendered(marks)], context)
    return len(found.examples[0].ids) if found.examples else None


@pytest.mark.parametrize(
    ("marks", "context", "size"),
    [
        ("..xx", 3, 4),  # the last id is only a target
        ("..xx", 2, None),
        ("..xx..", 3, 4),  # what follows the last reply is not read
        ("..xx..xx", 7, 8),
        ("..xx..xx", 6, 4),  # the second reply does not fit: cut after the first
        ("..xx..xx..", 6, 4),
        ("..xx...x", 3, 4),
        ("...x..xx", 2, None),
        ("....", 9, None),
        ("x...", 9, None),  # the first id of all is predicted from nothing
        ("", 9, None),
    ],
)
def test_a_conversation_is_cut_after_the_last_whole_reply(marks, context, size):
    assert kept(marks, context) == size


def test_what_became_of_each_is_counted():
    talks = [rendered(marks) for marks in ("..xx", "..xx..xx", "....xx", "...", "..x", "")]
    found = fit(talks, 4)
    assert [len(one.ids) for one in found.examples] == [4, 4, 3]
    assert found.numbers() == {
        "conversations": 3,
        "conversations_cut": 1,
        "conversations_too_long": 1,
        "conversations_without_reply": 2,
    }
    assert found.learned == 2 + 2 + 1
    left_out = "1 left out, too long for the context; 2 left out, without a reply"
    assert found.line() == f"3 conversations; 1 of them cut after a reply; {left_out}"
    assert fit(talks[:1], 4).line() == "1 conversations"


def test_a_row_holds_several_with_places_from_zero():
    talks = [example(4), example(3, 20, [False, False, True]), example(6, 40)]
    source = Conversations(talks, 2, 5, seed=0)
    batch = next(source.in_order())
    assert batch.ids.tolist() == [[40, 41, 42, 43, 44], [5, 6, 7, 20, 21]]
    assert batch.targets.tolist() == [[41, 42, 43, 44, 45], [6, 7, 8, IGNORE, 22]]
    assert batch.documents.tolist() == [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]]
    assert batch.positions.tolist() == [[0, 1, 2, 3, 4], [0, 1, 2, 0, 1]]
    assert source.filled == 1.0


def test_padding_is_marked_and_not_learned():
    batch = Conversations([example(3)], 2, 4, seed=0).batch(0)  # two rows of one: an epoch each
    assert batch.documents.tolist() == [[0, 0, -1, -1]] * 2
    assert batch.targets.tolist() == [[6, 7, IGNORE, IGNORE]] * 2


def some(count=30, most=9, seed=0):
    dice = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        size = int(dice.integers(2, most))
        learned = dice.random(size) < 0.5
        learned[-1] = True
        found.append(Example(dice.integers(1, 17, size).astype(np.int32), learned))
    return found


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(8, 30), st.integers(1, 7), st.integers(0, 3))
def test_in_an_epoch_each_target_is_learned_once(count, context, batch_size, seed):
    talks = some(count, seed=seed)
    source = Conversations(talks, batch_size, context, seed)
    wanted = sorted(int(id) for one in talks for id in one.ids[1:][one.learned[1:]])
    in_order = torch.cat([batch.targets.flatten() for batch in source.in_order()])
    assert sorted(in_order[in_order != IGNORE].tolist()) == wanted
    drawn = torch.cat([source.batch(number).targets for number in range(-(-len(source.rows) // batch_size))])
    epoch = drawn[: len(source.rows)].flatten()
    assert sorted(epoch[epoch != IGNORE].tolist()) == wanted


def test_the_nth_batch_depends_on_nothing_but_seed_and_n():
    first, second, other = (Conversations(some(), 3, 12, seed) for seed in (1, 1, 2))
    for _ in range(4):
        first.next()
    for number in (7, 0, 3):
        assert torch.equal(first.batch(number).ids, second.batch(number).ids)
        assert torch.equal(first.batch(number).targets, second.batch(number).targets)
    assert any(not torch.equal(first.batch(number).ids, other.batch(number).ids) for number in range(3))


def test_it_goes_on_where_it_was_and_not_over_other_conversations():
    source, later = Conversations(some(), 3, 12, 1), Conversations(some(), 3, 12, 1)
    for _ in range(5):
        source.next()
    later.restore(source.state())
    assert torch.equal(source.next().ids, later.next().ids)
    for changed in (some(seed=1), some(29), [example(3), *some()[1:]]):
        with pytest.raises(BadInput, match="conversations was"):
            Conversations(changed, 3, 12, 1).restore(source.state())
    with pytest.raises(BadInput, match="context was 12, is 13"):
        Conversations(some(), 3, 13, 1).restore(source.state())


def test_the_hash_knows_the_mask():
    ids = np.array([4, 5, 6], dtype=np.int32)
    masks = [np.array(mask) for mask in ([False, True, True], [False, False, True])]
    assert len({data_hash([Example(ids, mask)]) for mask in masks}) == 2
    assert data_hash([example(2), example(3)]) != data_hash([example(3), example(2)])


def test_together_they_learn_what_each_learns_alone():
    talks = some(12)
    model = Decoder(ModelConfig(vocab_size=17, hidden_size=16, num_layers=2, num_heads=2, context_length=24))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    together = Conversations(talks, 99, 24, 0)
    assert len(together.rows) < len(talks) / 2
    packed = [next_token(model, batch) for batch in together.in_order()]
    alone = [next_token(model, batch) for one in talks for batch in Conversations([one], 1, 24, 0).in_order()]
    counts = [int(sum(loss.count for loss in losses)) for losses in (packed, alone)]
    totals = [float(sum(loss.total.detach() for loss in losses)) for losses in (packed, alone)]
    assert counts[0] == counts[1]
    assert totals[0] == pytest.approx(totals[1], rel=1e-5)


def test_nothing_and_too_much_are_refused():
    with pytest.raises(BadInput, match="no conversation"):
        Conversations([], 1, 8, 0)
    with pytest.raises(ValueError, match="9 places does not fit a row of 8"):
        Conversations([example(10)], 1, 8, 0)
