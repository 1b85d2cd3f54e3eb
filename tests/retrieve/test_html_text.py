"""The text of HTML: what a reader sees, and hostile pages in bounded time."""

import time

import pytest

from linnet.retrieve.html_text import html_text


def test_a_page_by_hand():
    page = """<!DOCTYPE html><html><head><title>The  Linnet</title><style>p {color: red}</style>
    <script>var x = "<p>no</p>";</script></head><body><h1>Birds</h1><p>A <b>lin</b>net &amp; a
    wren.</p><!-- not shown --><ul><li>one<li>two</ul><table><tr><td>a</td><td>b</td></tr></table>
    <p>1 < 2 and 3 &lt; 4<br>end</body></html>"""
    title, text = html_text(page)
    assert title == "The Linnet"
    assert text == "Birds\n\nA linnet & a wren.\n\none\ntwo\n\na b\n\n1 < 2 and 3 < 4\nend"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("", ""),
        ("just text", "just text"),
        ("<head><p>hidden</p><body>shown", "shown"),
        ("<p>a</p></p></div></b>b", "a\n\nb"),
        ("<script>never closed <p>x", ""),
        ("a<!-- never closed <p>x", "a"),
        ("a <b", "a <b"),
        ("&#0;&#xD800;&nosuch;&#99999999999;x", None),
        ("<svg><text>drawn</text></svg>seen", "seen"),
        ("<p onclick='alert(1)'>&lt;script&gt;alert(2)&lt;/script&gt;</p>", "<script>alert(2)</script>"),
    ],
)
def test_broken_pages(page, text):
    found = html_text(page)[1]
    assert text is None or found == text


@pytest.mark.parametrize(
    "piece", ["<", "<!", "<!--", "<![CDATA[", "<?", "<a ", "<a href='", "</", "&", "&#", "<div>", "<script>", "<style ",
              "<!-- -->", "</script", "<title>", "<svg>", "</a ", "<a b=\"<"]
)  # fmt: skip
def test_hostile_pages_take_time_in_proportion_to_their_size(piece):
    def seconds(size):
        begin = time.thread_time()
        html_text(piece * (size // len(piece)))
        return time.thread_time() - begin

    # Eight times the page: eight times the time; of what grows with the square it would be sixty-four.
    small, large = min(seconds(8_000) for _ in range(3)), seconds(64_000)
    assert large < 0.05 + 30 * small
    assert large < 2.0
