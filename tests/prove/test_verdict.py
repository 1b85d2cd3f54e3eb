"""Findings, names and reasons of invariants."""

from linnet.prove.invariants import ALL
from linnet.prove.verdict import broken, held, judged, name_of, not_applicable, why_of


def rows_are_rows(subject, draw):
    """Let rows be rows.

    Why: without it
    nothing is left.

    Measured: by looking.
    """


def without_reason(subject, draw):
    """Let it be."""


def test_the_name_is_the_function_and_the_reason_is_its_second_paragraph():
    assert name_of(rows_are_rows) == "rows are rows"
    assert why_of(rows_are_rows) == "without it nothing is left."
    assert why_of(without_reason) == ""


def test_every_invariant_says_what_why_and_how():
    for invariant in ALL:
        text = invariant.__doc__ or ""
        assert text.startswith("Let "), name_of(invariant)
        assert len(why_of(invariant)) > 40, name_of(invariant)
        assert "Measured: " in text, name_of(invariant)


def test_findings():
    assert held("1 of 1").status == judged(True, "").status == "held"
    assert broken("0 of 1").status == judged(False, "").status == "broken"
    assert not_applicable("no rows").evidence == "no rows"
