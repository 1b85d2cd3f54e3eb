"""The text of a page of HTML: what a reader sees, a line a block, by the standard library's parser."""

import re
from html.parser import HTMLParser

# Not shown to a reader, or not text.
HIDDEN = {"script", "style", "template", "noscript", "svg", "math", "head", "select", "iframe", "object", "textarea"}
BLOCKS = {
    "address", "article", "aside", "blockquote", "br", "caption", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav",
    "ol", "p", "pre", "section", "summary", "table", "tr", "ul",
}  # fmt: skip
APART = {"td", "th"}
PARAGRAPHS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "article", "section", "blockquote", "table", "ul", "ol", "pre"}
# What the parser takes as markup without end, or reads again from its start for every one of many: taken out before.
UNSEEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<!\[.*?(?:\]\]?>|\Z)|<\?.*?(?:>|\Z)|<(script|style)\b[^<>]{0,10000}>.*?(?:</\1\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
LINES = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+")
# A tag that another one begins in before it is closed is text: the parser would look for its end again and again.
NO_TAG = re.compile(r"<(?![a-zA-Z/!])|<(?=[^<>]*(?:<|\Z))")


class Reader(HTMLParser):
    """Gathers the title and the text of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.pieces: list[str] = []
        self._hidden: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line at a block, and look away where nothing is shown."""
        if tag == "title":
            self._in_title = True
        elif tag == "body":
            self._hidden.clear()  # a head that was never closed
        elif tag in HIDDEN:
            self._hidden.append(tag)
        self._part(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a tag that closes itself for a break, if it is one."""
        self._part(tag)

    def handle_endtag(self, tag: str) -> None:
        """End a line, and what was hidden with it."""
        if tag == "title":
            self._in_title = False
        elif tag in self._hidden[-8:]:
            while self._hidden.pop() != tag:
                pass
        self._part(tag)

    def handle_data(self, data: str) -> None:
        """Keep what is shown."""
        if self._in_title:
            self.title.append(data)
        elif not self._hidden:
            self.pieces.append(re.sub(r"\s+", " ", data))

    def _part(self, tag: str) -> None:
        if self._hidden:
            return
        if tag in PARAGRAPHS:
            self.pieces.append("\n\n")
        elif tag in BLOCKS:
            self.pieces.append("\n")
        elif tag in APART:
            self.pieces.append(" ")


def html_text(page: str) -> tuple[str, str]:
    """Return (title, text) of a page, however broken: a line a block, an empty line between paragraphs.

    Nothing is fetched or run; scripts, styles and what else a reader does not see are left out.
    """
    reader = Reader()
    reader.feed(NO_TAG.sub("&lt;", UNSEEN.sub(" ", page)))
    reader.close()
    lines = (re.sub(r"[^\S\n]+", " ", line).strip() for line in "".join(reader.pieces).split("\n"))
    text = LINES.sub("\n\n", "\n".join(lines)).strip()
    return " ".join("".join(reader.title).split()), text
