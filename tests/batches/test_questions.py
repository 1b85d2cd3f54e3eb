"""Pairs of questions and passages as batches: padded on the right, drawn by seed and number, each once an epoch."""

from linnet.batches.questions import QuestionIds, QuestionRows, question_batch

ITEMS = [QuestionIds((1,) * (n % 3 + 1), (2,) * (n + 1), n // 2) for n in range(7)]


def test_a_batch_by_hand():
    batch = question_batch(ITEMS[1:3], pad_id=9)
    assert batch.questions.tolist() == [[1, 1, 9], [1, 1, 1]]
    assert batch.question_lengths.tolist() == [2, 3]
    assert batch.passages.tolist() == [[2, 2, 9], [2, 2, 2]]
    assert batch.passage_lengths.tolist() == [2, 3]
    assert batch.numbers.tolist() == [0, 1]
    assert batch.learned == 2
    assert batch.rows(slice(1)).questions.tolist() == [[1, 1, 9]]


def test_each_pair_once_an_epoch_the_same_by_number():
    rows, again = QuestionRows(ITEMS, 7, 3, 0), QuestionRows(ITEMS, 7, 3, 0)
    assert sorted(rows.batch(0).passage_lengths.tolist()) == list(range(1, 8))
    assert rows.batch(4).passages.equal(again.batch(4).passages)
    assert QuestionRows(ITEMS, 7, 4, 0).batch(0).passage_lengths.tolist() != rows.batch(0).passage_lengths.tolist()
    assert QuestionRows([*ITEMS[:-1], QuestionIds((1,), (2,), 0)], 7, 3, 0).hash != rows.hash


def test_in_order_without_a_last_one_alone():
    assert [batch.numbers.tolist() for batch in QuestionRows(ITEMS, 3, 0, 0).in_order()] == [[0, 0, 1], [1, 2, 2]]
