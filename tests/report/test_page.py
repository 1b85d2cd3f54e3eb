"""The page: one file that needs nothing else, holds what it was given, and lets no text become markup."""

import base64
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from linnet.core.errors import BadInput
from linnet.report import page as page_module
from linnet.report.curves import Chart, Level, Line
from linnet.report.page import (
    LOOKS,
    Bars,
    Cell,
    Command,
    Commands,
    Curves,
    Facts,
    Headline,
    Headlines,
    Link,
    Sample,
    Samples,
    Stage,
    Table,
    TokenRow,
    Tokens,
    Warnings,
    duration,
    page_html,
    size,
    stages_table,
    write_page,
)
from tests.report.material import make_run, quick_start_sections

HOSTILE = "<script>alert(1)</script></style></title>\"'><img src=x onerror=alert(1)> &amp; {{ 7*7 }} {% raw %}"
VOID = {"meta", "link", "br"}


class Reader(HTMLParser):
    """Collects tags, attributes and text, and checks that tags close in order."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data + " "


def every_section(text: str) -> tuple:
    """Return each kind of section with one text in every place that takes a text."""
    chart = Chart(text, text, (Line(text, ((1, 2.0), (2, 1.0))),), (Level(text, 1.5),))
    return (
        Headlines(text, (Headline(text, text, text, text),), text),
        Facts(text, ((text, text),), text),
        Curves(text, (chart,), text),
        Samples(text, (Sample(text, text, (text,), text, text), Sample(text, text)), text),
        Table(text, (text, text), ((text, Link(text, text)),), text, frozenset({0})),
        Commands(text, (Command(text, text),), text),
        stages_table([Stage(text, Path(text), 3.0)], text),
        Tokens(text, (TokenRow(text, (Cell(text, "learned", text), Cell(text, "wrong")), (text,)),), cells(text), text),
        Bars(text, (text, text), ((text, 3), (text, 0)), text),
        Warnings(text, (text, text), text, text),
        Warnings(text, (), text),
    )


def cells(text: str) -> tuple[Cell, ...]:
    """Return a token of each look."""
    return tuple(Cell(text, look, text, breaks=True) for look in LOOKS)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Write the page of a quick start, once: drawing its curves takes longer than all that is asked of it."""
    folder = make_run(tmp_path_factory.mktemp("page") / "pretrain").parent
    return write_page(folder, *quick_start_sections(folder), title="Your model", lead="Made here.")


def test_the_page_holds_what_the_quick_start_has_to_say(page):
    assert page.name == "index.html"
    said = " ".join(Reader(page.read_text()).text.split())
    for words in (
        "Your model", "Made here.", "0.436", "gzip 2.31, 5-gram 1.05", "204,311 bytes of held-out stories",
        "95% interval 94.3% to 98.9%", "Before training, step 0", "Midway, step 300", "After training, step 600",
        "Mira had a red kite.", "✓ consistent", "✗ 2 problems", "Otto carries a drum that nobody brought.",
        "600 steps of 32 rows", "Seed 7", "peak memory", "pretrain/model.safetensors",
        "linnet generate pretrain --prompt 'Mira had'", "gzip: 2.31",
    ):  # fmt: skip
        assert words in said, words


def test_the_page_needs_nothing_and_reaches_nowhere(page):
    html = page.read_text()
    assert "http:" not in html
    assert "https:" not in html
    reader = Reader(html)
    assert not {"script", "iframe", "img", "object", "embed", "form", "base"} & set(reader.tags)
    links = [value for name, value in reader.attributes if name in ("href", "src")]
    assert all(link.startswith(("./", "#chart-")) or link == "data:," for link in links)
    files = [link for link in links if link.startswith("./")]
    assert len(files) == 6
    assert all((page.parent / link).exists() for link in files)


def test_the_policy_lets_only_the_one_style_sheet_in(page):
    html = page.read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)[1]
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.replace("&#39;", "'").startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    reader = Reader(html)
    assert "style" not in dict(reader.attributes)
    assert not [name for name, _ in reader.attributes if name.startswith("on")]


def test_no_text_becomes_markup():
    calm, hostile = (Reader(page_html(every_section(text), text, text)) for text in ("calm", HOSTILE))
    assert calm.tags == hostile.tags
    assert [name for name, _ in calm.attributes] == [name for name, _ in hostile.attributes]
    assert hostile.text.count(HOSTILE) >= 50
    # A link stays inside the folder whatever the file is called.
    leads = [value for name, value in hostile.attributes if name == "href"]
    assert "./%3Cscript%3Ealert%281%29%3C/script%3E" in " ".join(leads)
    script = Table("t", ("file",), ((Link("x", "javascript:alert(1)"),),))
    assert 'href="./javascript%3Aalert%281%29"' in page_html((script,), "t")


def test_text_that_has_no_utf8_is_written_all_the_same(tmp_path):
    path = write_page(tmp_path, *every_section("\ud800 \x00 \u202e"), title="\udfff")
    Reader(path.read_text(encoding="utf-8"))


def test_the_same_sections_give_the_same_bytes(tmp_path):
    first, again = (write_page(tmp_path, *every_section("calm"), title="a").read_bytes() for _ in range(2))
    assert again == first


def test_without_matplotlib_the_numbers_come_as_tables(tmp_path):
    program = f"""
import sys
sys.modules["matplotlib"] = None
from linnet.report.page import write_page, Curves
from linnet.report.curves import Chart, Level, Line
chart = Chart("Loss", "nats per token", (Line("held out", ((1, 2.5), (200, 1.25))),), (Level("gzip", 2.31),))
write_page({str(tmp_path)!r}, Curves("How it learned", (chart,)), title="No pictures")
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    html = (tmp_path / "index.html").read_text()
    assert "<svg" not in html
    said = " ".join(Reader(html).text.split())
    assert 'Drawing curves needs the package matplotlib: pip install "linnet[plot]"' in said
    assert "Loss nats per token step held out gzip 1 2.5 2.31 200 1.25 2.31".replace(" ", "") in said.replace(" ", "")


def test_with_matplotlib_each_chart_has_a_picture_and_its_numbers(page):
    html = page.read_text()
    assert html.count("<svg ") == html.count("<details>") == 5
    assert "linnet[plot]" not in html


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        write_page(tmp_path / "file" / "under", title="a")


def test_stages_show_gpu_memory_only_where_there_was_a_gpu():
    stages = [Stage("pretrain", Path("runs/a"), 462.0, 3 * 2**30), Stage("sft", Path("runs/b"), 1.25, None, note="x")]
    table = stages_table(stages)
    assert table.columns == ("stage", "time", "peak memory", "folder")
    assert table.rows == (("pretrain", "7 min 42 s", "3.0 GiB", "runs/a"), ("sft", "1.2 s", "", "x"))
    assert table.numeric == {1, 2}
    on_gpu = stages_table([*stages, Stage("dpo", Path("runs/c"), 60, 2**30, 2**31)])
    assert on_gpu.columns[3] == "peak GPU memory"
    assert on_gpu.rows[2] == ("dpo", "1 min", "1.0 GiB", "2.0 GiB", "runs/c")
    assert on_gpu.rows[0][3] == ""


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3599.7, "1 h"),
     (7500, "2 h 5 min")],
)  # fmt: skip
def test_durations(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [(None, ""), (0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (1024**2 - 1, "1.0 MiB"),
     (5 * 2**40, "5.0 TiB"), (2**62, "4194304 TiB")],
)  # fmt: skip
def test_sizes(number, said):
    assert size(number) == said


def test_the_template_and_the_style_sheet_lie_in_the_package():
    room = Path(sys.modules[write_page.__module__].__file__).parent
    assert {"page.html.jinja", "page.css"} <= {path.name for path in room.iterdir()}


def test_tokens_stand_side_by_side_with_nothing_between_them():
    row = TokenRow(
        "Row 0", (Cell("a ", "learned", "id 1"), Cell(" b\n", "unlearned"), Cell("c", "loss-3", breaks=True))
    )
    html = page_html((Tokens("t", (row,)),), "t")
    spans = (
        '<p class="tokens"><span class="token learned" tabindex="-1" data-about="id 1">a </span>'
        '<span class="token unlearned"> b\n</span><br><span class="token loss-3">c</span></p>'
    )
    assert spans in html


def test_a_look_that_the_style_sheet_does_not_know_is_refused():
    style = (Path(page_module.__file__).parent / "page.css").read_text()
    assert all(f".{look} {{" in style or f".{look}, " in style for look in LOOKS)
    with pytest.raises(ValueError, match="cannot look like"):
        Cell("a", "learned x")


def test_bars_are_as_long_as_their_counts():
    html = page_html((Bars("t", ("tokens", "documents"), (("1", 4), ("2", 1), ("3", 0))),), "t")
    assert re.findall(r'rect width="([\d.]+)"', html) == ["100.00", "25.00", "0.00"]
    assert 'rect width="0.00"' in page_html((Bars("t", ("a", "b"), (("1", 0),)),), "t")


def test_calm_is_said_only_where_there_are_no_warnings():
    calm, troubled = (page_html((Warnings("t", words, "All is well."),), "t") for words in ((), ("Look!",)))
    assert "All is well." in calm
    assert "All is well." not in troubled
    assert "<li>Look!</li>" in troubled
