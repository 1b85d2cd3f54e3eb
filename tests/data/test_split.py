"""The split: nanoGPT's for one text, by the text itself for many, and never a character lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.core.errors import BadInput
from linnet.data.document import Document
from linnet.data.split import plan_split, split_documents


def many(count, prefix="text"):
    return [Document(f"{prefix} {number}", "here") for number in range(count)]


@settings(deadline=None)
@given(st.text(min_size=1, max_size=200), st.lists(st.integers(1, 40), max_size=10))
def test_one_text_is_cut_where_nanogpt_cuts_whatever_its_pieces(text, sizes):
    pieces, rest = [], text
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    pieces = [piece for piece in [*pieces, rest] if piece] or [text]
    documents = [Document(p, "here", number < len(pieces) - 1) for number, p in enumerate(pieces)]
    train, held = split_documents(documents, 0.1)
    cut = int(len(text) * 0.9)
    assert "".join(document.text for document in train) == text[:cut]
    assert "".join(document.text for document in held) == text[cut:]
    for side in (train, held):
        assert [document.continues for document in side] == [True] * (len(side) - 1) + [False] * bool(side)


@pytest.mark.parametrize("sizes", [(95, 5), (90, 10), (50, 45, 5), (30, 60, 10), (5, 95)])
def test_a_cut_ends_the_document_on_the_train_side(sizes):
    pieces = [Document("x" * size, "here", number < len(sizes) - 1) for number, size in enumerate(sizes)]
    for side, size in zip(split_documents(pieces, 0.1), (90, 10), strict=True):
        assert sum(len(document.text) for document in side) == size
        assert [document.continues for document in side] == [True] * (len(side) - 1) + [False]


def test_a_few_documents_are_each_cut():
    train, held = split_documents([Document("a" * 10, "x"), Document("b" * 20, "y")], 0.2)
    assert [document.text for document in train] == ["a" * 8, "b" * 16]
    assert [document.text for document in held] == ["a" * 2, "b" * 4]


def test_many_documents_go_whole_to_one_side_about_in_proportion():
    documents = many(2000)
    train, held = split_documents(documents, 0.1)
    assert sorted(document.text for document in [*train, *held]) == sorted(document.text for document in documents)
    assert not {document.text for document in train} & {document.text for document in held}
    assert 150 < len(held) < 250


def test_a_document_stays_on_its_side_when_others_are_added():
    before = split_documents(many(500), 0.1)
    after = split_documents([*many(300, "new"), *many(500)], 0.1)
    for side in (0, 1):
        assert set(before[side]) == {document for document in after[side] if document.text.startswith("text")}


def test_pieces_of_a_document_stay_on_one_side():
    documents = []
    for document in many(200):
        documents += [Document(document.text, "here", True), Document(" and more", "here")]
    assert plan_split(documents, 0.1).by == "document"
    for side in split_documents(documents, 0.1):
        assert [document.continues for document in side] == [True, False] * (len(side) // 2)


def test_planning_reads_no_more_than_it_needs():
    read = []

    def watched():
        for document in many(10_000):
            read.append(document)
            yield document

    assert plan_split(watched(), 0.1).by == "document"
    assert len(read) < 200


def test_documents_that_all_fall_on_one_side_are_split_by_position():
    same_side = split_documents(many(300), 0.1)[0][:25]
    train, held = split_documents(same_side, 0.1)
    assert plan_split(same_side, 0.1).by == "position"
    assert len(train) == len(held) == 25


def test_nothing_held_out():
    assert split_documents(many(3), 0.0) == (many(3), [])


@pytest.mark.parametrize("share", [-0.1, 0.6, float("nan")])
def test_an_impossible_share_is_refused(share):
    with pytest.raises(BadInput, match="held-out share"):
        plan_split(many(3), share)


def test_other_documents_than_planned_are_refused():
    with pytest.raises(ValueError, match="planned for 1 documents"):
        list(plan_split(many(1), 0.1).assign(many(2)))


def test_shakespeare_is_split_as_nanogpt_does(shared_data):
    text = (shared_data / "tinyshakespeare" / "input.txt").read_text()
    (train,), (held,) = split_documents([Document(text, "here")], 0.1)
    assert (len(train.text), len(held.text)) == (1_003_854, 111_540)
