"""PDF: the text of pages written here by hand, and files that are broken, locked, empty or endless."""

import zlib

import pytest

from linnet.core.errors import BadInput
from linnet.retrieve import pdf_text as module
from linnet.retrieve.pdf_text import pdf_text

pytest.importorskip("pypdf")


def pdf(pages, title="", packed=None):
    """Return the bytes of a PDF with a line of text a page, as the format's description has it."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for page in pages:
        content = b"BT /F1 12 Tf 72 720 Td (" + page.encode() + b") Tj ET" if packed is None else packed
        number = len(objects) + 1
        kids.append(b"%d 0 R" % (number + 1))
        encoded = b"/Filter /FlateDecode " if packed is not None else b""
        objects.append(b"<< " + encoded + b"/Length %d >>\nstream\n" % len(content) + content + b"\nendstream")
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % number
        )
    objects[1] = b"<< /Type /Pages /Kids [" + b" ".join(kids) + b"] /Count %d >>" % len(kids)
    objects.append(b"<< /Title (" + title.encode() + b") >>")
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % place for place in places)
    end = len(objects)
    return data + b"trailer << /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (end + 1, end, start)


def test_pages_and_title(tmp_path):
    (tmp_path / "a.pdf").write_bytes(pdf(["A linnet sings.", "A wren sleeps."], title="Birds"))
    assert pdf_text(tmp_path / "a.pdf", 1000) == ("Birds", "A linnet sings.\n\nA wren sleeps.")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cannot be read as a PDF"),
        (b"%PDF-1.4\nno objects", "cannot be read as a PDF"),
        (pdf(["x" * 50])[:200], "a PDF"),
        (pdf([""]), "a PDF without text"),
        (pdf(["x" * 50] * 3), "too much text"),
        (pdf([""], packed=zlib.compress(bytes(2**28))), "PDF"),  # a quarter of a GiB of nothing in a small file
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(data, words, tmp_path):
    (tmp_path / "bad.pdf").write_bytes(data)
    with pytest.raises(BadInput, match=words) as error:
        pdf_text(tmp_path / "bad.pdf", 100)
    assert "bad.pdf" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_reader_that_does_not_end_is_ended(tmp_path, monkeypatch):
    (tmp_path / "a.pdf").write_bytes(pdf(["x"]))
    monkeypatch.setattr(module, "CHILD", "while True: pass")
    monkeypatch.setattr(module, "MOST_SECONDS", 0.5)
    with pytest.raises(BadInput, match=r"its reader took more than 1\.0 s"):
        pdf_text(tmp_path / "a.pdf", 100)
