"""The page in a real browser: no errors, no sideways scrolling, readable by day and by night."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from linnet.report.page import TokenRow, Tokens, write_page
from tests.report.material import quick_start_sections
from tests.report.test_page import HOSTILE, cells, every_section

pytestmark = pytest.mark.slow
WIDTHS = {"desktop": 1280, "phone": 390, "small phone": 320}
# The contrast of each text with what lies behind it, by WCAG 2: (lighter + 0.05) / (darker + 0.05) of luminances.
CONTRASTS = """() => {
  const rgb = color => color.match(/[\\d.]+/g).map(Number);
  const linear = c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => [r, g, b].map(c => linear(c / 255))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const color = rgb(getComputedStyle(node).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    if (![...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())) continue;
    if (["title", "desc"].includes(node.tagName)) continue;
    const style = getComputedStyle(node);
    const ink = light(rgb(node.tagName === "text" ? style.fill : style.color)), paper = light(behind(node));
    found.push([(Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05), node.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="PLAYWRIGHT NOT FOUND: the page is not tested in a browser"
    )
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("CHROMIUM NOT FOUND: the page is not tested in a browser; apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(browser):
    """Return a function that opens a page at a width and a colour scheme, and collects what it complains of."""
    contexts = []

    def open_page(path: Path, width: int, scheme: str = "light"):
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
        contexts.append(context)
        page, complaints = context.new_page(), []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: complaints.append(request.url) if request.url != path.as_uri() else None)
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        return page, complaints

    yield open_page
    for context in contexts:
        context.close()


def sideways(page) -> int:
    """Return by how many pixels the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=list(WIDTHS))
def test_the_page_is_whole_at_any_width_by_day_and_by_night(run, sections, show, width, scheme):
    path = write_page(run.parent, *sections, title="A language model of your own", lead="Made here.")
    page, complaints = show(path, width, scheme)
    assert complaints == []
    assert sideways(page) <= 0
    headings = page.locator("h1, h2").all()
    assert len(headings) == 1 + len(sections)
    assert all(heading.is_visible() for heading in headings)
    weak = [found for found in page.evaluate(CONTRASTS) if found[0] < 4.5]
    assert weak == []
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    lightness = sum(map(int, re.findall(r"\d+", paper)[:3])) / 3
    assert (lightness > 200) if scheme == "light" else (lightness < 60)


@pytest.mark.parametrize("width", [1280, 390])
def test_letters_in_charts_can_be_read(run, sections, show, width):
    page, _ = show(write_page(run.parent, *sections, title="a"), width)
    heights = page.evaluate(
        "[...document.querySelectorAll('svg text')].map(text => text.getBoundingClientRect().height)"
    )
    assert len(heights) > 40
    assert min(heights) >= 12  # a line of letters of about 11 pixels
    outside = page.evaluate("""[...document.querySelectorAll('svg text')].filter(text => {
      const box = text.getBoundingClientRect();
      return box.left < 0 || box.right > innerWidth;
    }).map(text => text.textContent)""")
    assert outside == []


def test_colours_of_lines_follow_the_scheme(run, sections, show):
    path = write_page(run.parent, *sections, title="a")
    stroke = "getComputedStyle(document.querySelector('svg path[stroke^=\"var(--line-1\"]')).stroke"
    by_day, by_night = (show(path, 390, scheme)[0].evaluate(stroke) for scheme in ("light", "dark"))
    assert by_day == "rgb(15, 111, 143)"
    assert by_night == "rgb(92, 192, 223)"


@pytest.mark.parametrize("text", [HOSTILE, "w" * 3000, "long words " * 400, "word\n" * 300, "\u202eabc ✗ 語 مرحبا"])
@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_text_neither_runs_nor_widens_the_page(tmp_path, show, text, width):
    page, complaints = show(write_page(tmp_path, *every_section(text), title=text, lead=text), width)
    assert complaints == []
    assert sideways(page) <= 0


def test_a_page_without_pictures_fits_a_phone(run, show, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    path = write_page(run.parent, *quick_start_sections(run.parent), title="a")
    assert "<svg" not in path.read_text()
    page, complaints = show(path, 390)
    assert complaints == []
    assert sideways(page) <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=list(WIDTHS))
def test_tokens_can_be_read_and_say_what_they_are_when_pointed_at(tmp_path, show, width, scheme):
    row = TokenRow("Row 0", cells("a token of words") * 9, ("something is wrong",))
    page, complaints = show(write_page(tmp_path, Tokens("Tokens", (row,), cells("look")), title="a"), width, scheme)
    weak = [found for found in page.evaluate(CONTRASTS) if found[0] < 4.5]
    assert weak == []
    token = page.locator("article .token").nth(30)
    assert said(token) == "none"
    token.hover()
    assert said(token) == '"a token of words"'
    page.mouse.move(1, 1)
    assert said(token) == "none"
    token.click()  # as a tap does
    assert said(token) == '"a token of words"'
    box = token.evaluate("""node => { const style = getComputedStyle(node, "::after");
      return [style.position, parseFloat(style.width), parseFloat(style.bottom), innerWidth]; }""")
    assert box[0] == "fixed"
    assert 0 < box[1] <= box[3] - 20
    assert box[2] > 0
    assert complaints == []
    assert sideways(page) <= 0


def said(token) -> str:
    """Return what stands beside a token on the screen."""
    return token.evaluate("node => getComputedStyle(node, '::after').content")
