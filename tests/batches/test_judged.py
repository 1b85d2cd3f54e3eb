"""Judged answers: what is judged is exactly the answer and its stop; problems never cross; both kinds are as many."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.batches.batch import IGNORE
from linnet.batches.judged import (
    Judged,
    JudgedRows,
    answer_ids,
    as_written,
    balanced,
    encode,
    hold_out,
    judged_batch,
)
from linnet.core.errors import BadInput, NothingToLearn
from linnet.model.config import ModelConfig
from linnet.text.chat import Message, render, stop_id
from linnet.text.tokenizer import Tokenizer
from tests.judged_answers import judged_answers

TOKENIZER = Tokenizer.train_bpe([f"{one.problem}\n{one.answer}\n" for one in judged_answers(40)], 320)
LONG = ModelConfig(context_length=400)


def test_an_answer_is_read_as_it_stands_in_a_chat():
    prompt, answer = answer_ids(TOKENIZER, "What is 2+2?", "It is 4.\n#### 4")
    assert answer[-1] == stop_id(TOKENIZER)
    assert TOKENIZER.decode(answer) == "It is 4.\n#### 4"
    chat = render(TOKENIZER, [Message("user", "What is 2+2?"), Message("assistant", "It is 4.\n#### 4")])
    assert prompt + answer == chat.ids[: len(prompt) + len(answer)]
    assert chat.learned.index(True) == len(prompt)


def test_each_token_of_an_answer_is_judged_where_it_stands():
    ids, _ = encode([Judged("a b", "c d e", True), Judged("a", "c", False)], TOKENIZER, LONG)
    batch = judged_batch(ids, pad_id=1, mark=True)
    for row, item in enumerate(ids):
        start, end = len(item.prompt), len(item.prompt) + len(item.answer)
        assert batch.ids[row, :end].tolist() == [*item.prompt, *item.answer]
        assert batch.targets[row, start:end].tolist() == [int(item.right)] * len(item.answer)
        outside = [*range(start), *range(end, batch.ids.shape[1])]
        assert (batch.targets[row, outside] == IGNORE).all()
        assert (batch.documents[row, :end] == 0).all()
        assert (batch.documents[row, end:] == -1).all()
    assert judged_batch(ids, pad_id=1).documents is None


def test_as_written_the_judged_tokens_are_what_is_learned():
    ids, _ = encode([Judged("a b", "c d e", True), Judged("a", "c", False)], TOKENIZER, LONG)
    batch = as_written(judged_batch(ids, pad_id=1))
    for row, item in enumerate(ids):
        learned = batch.targets[row] != IGNORE
        assert batch.targets[row][learned].tolist() == list(item.answer)
        following = torch.roll(batch.ids[row], -1)
        assert torch.equal(batch.targets[row][learned], following[learned])


def test_what_is_too_long_is_left_out_and_nothing_at_all_is_refused():
    judged = [Judged("a", "b", True), Judged("a", "b " * 500, False)]
    ids, kept = encode(judged, TOKENIZER, LONG)
    assert kept == judged[:1]
    assert len(ids) == 1
    room = LONG.but(context_length=len(ids[0].prompt) + len(ids[0].answer))
    assert len(encode(judged, TOKENIZER, room)[0]) == 1
    with pytest.raises(BadInput, match="context"):
        encode(judged, TOKENIZER, room.but(context_length=room.context_length - 1))


def test_blind_is_without_the_problem():
    seen = encode([Judged("one", "x", True), Judged("two", "x", True)], TOKENIZER, LONG, blind=True)[0]
    assert seen[0] == seen[1]
    assert encode([Judged("one", "x", True)], TOKENIZER, LONG)[0] != seen[:1]


def test_problems_are_on_one_side_whatever_their_spaces_and_case():
    judged = judged_answers(200)
    judged += [Judged(one.problem.upper().replace(" ", "  "), one.answer, one.right) for one in judged]
    learn, held = hold_out(judged, 0.3)
    sides = [{" ".join(one.problem.lower().split()) for one in side} for side in (learn, held)]
    assert not sides[0] & sides[1]
    assert len(learn) + len(held) == len(judged)
    assert 0.2 < len(held) / len(judged) < 0.4
    assert set(hold_out(judged[:300], 0.3)[0]) == set(learn) & set(judged[:300])  # the others change nothing


@pytest.mark.parametrize("right", [True, False])
def test_both_kinds_are_needed(right):
    with pytest.raises(NothingToLearn, match="needs both"):
        hold_out([Judged(str(n), "a", right) for n in range(50)], 0.5)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=40), st.integers(0, 3))
def test_balanced_has_as_many_of_each_and_loses_no_rare_one(answers, seed):
    judged = [Judged(str(problem), str(n), right) for n, (problem, right) in enumerate(answers)]
    kept = balanced(judged, seed)
    right = sum(one.right for one in judged)
    rare = right * 2 <= len(judged)
    assert sum(one.right for one in kept) * 2 == len(kept)
    assert len(kept) == 2 * min(right, len(judged) - right)
    assert [one for one in judged if one in kept] == kept
    assert all(one in kept for one in judged if one.right == rare or right * 2 == len(judged))


def test_what_is_left_out_depends_on_nothing_but_the_dice():
    judged = [Judged("easy", str(n), True) for n in range(300)]
    judged += [Judged("hard", str(n), n < 100) for n in range(200)]
    kept = [balanced(judged, seed) for seed in range(40)]
    easy = [sum(one.problem == "easy" for one in each) for each in kept]
    assert sum(easy) / 40 == pytest.approx(75, abs=5)  # 300 of 400 right answers, of which 100 stay
    assert len(set(easy)) > 5
    assert balanced(judged, 39) == kept[-1]


def test_batches_are_a_function_of_seed_and_number_and_resume():
    ids, _ = encode(judged_answers(10), TOKENIZER, LONG)
    rows, again = JudgedRows(ids, 6, 3, pad_id=1), JudgedRows(ids, 6, 3, pad_id=1)
    drawn = [rows.next() for _ in range(7)]
    again.restore({"drawn": 4, **{k: v for k, v in rows.state().items() if k != "drawn"}})
    assert torch.equal(again.next().ids, drawn[4].ids)
    assert not all(torch.equal(a.ids, b.ids) for a, b in pairwise(drawn))
    other = JudgedRows(ids[:-1], 6, 3, pad_id=1)
    with pytest.raises(BadInput, match="judged"):
        other.restore(rows.state())
