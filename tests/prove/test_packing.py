"""Packed rows: documents that see each other, and positions that run on."""

from dataclasses import replace

from linnet.prove.packing import packed_documents_do_not_see_each_other, packed_equals_alone
from tests.prove.subjects import judge, order, reading, subject

BOTH = (packed_documents_do_not_see_each_other, packed_equals_alone)


def test_they_hold_or_do_not_apply():
    for name in ("gpt2", "ours_ngrams", "window_sinks"):
        assert [judge(invariant, subject(name)).status for invariant in BOTH] == ["held", "held"]
    one = subject()
    for invariant in BOTH:
        assert judge(invariant, reading(one, packed=None)).status == "not applicable"
        assert judge(invariant, replace(one, depends_on_batch="seats")).evidence == "seats"


def test_documents_that_see_each_other_are_seen():
    one = subject("gpt2")
    open_rows = reading(one, packed=lambda ids, documents: one.model(ids))
    assert [judge(invariant, open_rows).status for invariant in BOTH] == ["broken", "broken"]


def test_positions_that_run_on_are_seen_by_the_second_alone():
    one = subject("gpt2")
    run_on = reading(one, packed=lambda ids, documents: one.model(ids, documents=documents, positions=order(ids)))
    assert [judge(invariant, run_on).status for invariant in BOTH] == ["held", "broken"]
