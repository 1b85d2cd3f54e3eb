"""Cleaning drops and mends exactly what it says, in numbers."""

from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.data.cleaning import CleaningReport, clean
from linnet.data.document import Document


def cleaned(texts, **options):
    report = CleaningReport()
    return [document.text for document in clean((Document(text, "here") for text in texts), report, **options)], report


def test_each_kind_of_dirt_is_counted():
    broken = b"a good text with one \xff\xfe hole".decode("utf-8", "surrogateescape")
    rubbish = b"\xff\xfe\xfd text".decode("utf-8", "surrogateescape")
    texts, report = cleaned(["one", "", " \n", "two", "one", broken, rubbish, "tr\ufffde"])
    assert texts == ["one", "two", "a good text with one \ufffd hole", "tr\ufffde"]
    assert report == CleaningReport(8, 4, 2, 1, 1, 1, 2, 3 + 3 + 27 + 4)
    assert report.line() == (
        "read 8 documents, kept 4 (37 characters); dropped 2 empty, 1 duplicate, 1 unreadable; "
        "replaced 2 invalid bytes in 1 documents (another encoding?)"
    )


def test_duplicates_can_be_kept():
    texts, report = cleaned(["one", "one", ""], keep_duplicates=True)
    assert texts == ["one", "one"]
    assert report.duplicates == 0


@settings(deadline=None)
@given(st.lists(st.text(st.characters(), max_size=4)))
def test_against_the_plain_rule(texts):
    found, report = cleaned(texts)
    good = [text for text in texts if text.strip() and not any("\ud800" <= c <= "\udfff" for c in text)]
    assert [text for text in found if "\ufffd" not in text] == [t for t in dict.fromkeys(good) if "\ufffd" not in t]
    assert report.read == len(texts) == report.kept + report.empty + report.duplicates + report.unreadable
    assert report.kept == len(found)
    assert report.characters == sum(map(len, found))
    for text in found:
        text.encode()


def test_pieces_of_a_long_document_stay_together():
    pieces = [Document("one", "a", True), Document(" ", "a", True), Document("one", "a"), Document("one", "b")]
    report = CleaningReport()
    assert list(clean(pieces, report)) == pieces
    assert (report.read, report.kept, report.duplicates) == (2, 2, 0)
    report = CleaningReport()
    assert list(clean([Document(" ", "a", True), Document("x", "a"), Document("y", "b")], report)) == [
        Document("y", "b")
    ]
