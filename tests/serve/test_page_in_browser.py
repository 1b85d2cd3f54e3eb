"""The chat page in a real browser: ask, stream, stop, regenerate, edit, compare, look inside; hostile text is text."""

import shutil
import time

import pytest

from linnet.text.chat import stop_id
from tests.infer.networks import bpe, chain
from tests.report.test_page_in_browser import CONTRASTS, sideways
from tests.serve.material import REPLY, base, documents, host, live, polite, service_over, talker, until

pytestmark = pytest.mark.slow
WIDTHS = {"desktop": 1280, "phone": 390, "small phone": 320}
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'`${1}</p>{{7*7}}"


def hostile():
    """Return a model whose every reply is markup."""
    tokenizer = bpe()
    model = chain(tokenizer, [*tokenizer.encode("\n"), *tokenizer.encode("<b>a"), stop_id(tokenizer)])
    return host("<i>hostile</i>", model, tokenizer)


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


@pytest.fixture(scope="module")
def address():
    service = service_over(polite(), talker(context=2048), base(), hostile())
    with live(service) as address:
        yield address


@pytest.fixture(scope="module")
def patient():
    """Yield the address of a server whose talker takes half a minute, however long a browser takes to stop it."""
    slow = talker(context=2048)
    step = slow.thread.engine.step
    slow.thread.engine.step = lambda: (time.sleep(0.03), step())[1]
    with live(service_over(polite(), slow)) as address:
        yield address


@pytest.fixture(scope="module")
def library():
    """Yield the address of a server with documents, one of which holds markup."""
    models = polite(context=1024), polite("wrong", reply="mice", context=1024), base()
    with live(service_over(*models, index=documents())) as address:
        yield address


@pytest.fixture
def show(browser, address):
    """Return a function that opens the page at a width and a colour scheme, and collects what it complains of."""
    contexts = []

    def open_page(width: int = 1280, scheme: str = "light", at: str = address, ready: str = "#left option"):
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
        contexts.append(context)
        context.add_init_script("localStorage['linnet.choices'] ??= JSON.stringify({temperature: 0})")
        page, complaints = context.new_page(), []
        page.set_default_timeout(60_000)
        # That an answer was an error is Chromium's to log and the page's to say.
        page.on("console", lambda said: complaints.append(said.text) if "status of 4" not in said.text else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda sent: complaints.append(sent.url) if not sent.url.startswith(at) else None)
        page.goto(at)
        page.wait_for_selector(ready, state="attached")
        return page, complaints

    yield open_page
    for context in contexts:
        context.close()


def ask(page, words: str) -> None:
    page.fill("#message", words)
    page.press("#message", "Enter")


def whole(page, place: int = -1) -> str:
    """Return the text of a reply when it is whole."""
    page.wait_for_selector("#send:not([hidden])", state="attached")
    page.wait_for_selector(".reply .tool")
    return page.locator(".reply .text").nth(place).text_content()


def test_ask_and_read_the_tokens(show):
    page, complaints = show()
    ask(page, "hello")
    assert whole(page) == REPLY
    assert page.locator(".bubble").text_content() == "hello"
    page.click(".tool:text-is('Tokens')")
    tokens = page.locator(".token").all_text_contents()
    assert tokens[0] == "caf"
    page.locator(".token").first.hover()
    rows = page.locator(".about-token tr")
    assert rows.count() == 5
    assert rows.first.locator("th").text_content() == "caf"
    assert "%" in rows.first.locator(".share").text_content()
    page.locator(".token-row").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".token[aria-selected=true]").count() == 1
    assert page.locator(".token").nth(1).get_attribute("aria-selected") == "true"
    page.click(".tool:text-is('Tokens')")
    assert page.locator(".reply .text").is_visible()
    assert complaints == []


def test_shift_enter_is_a_new_line_and_nothing_is_sent_empty(show):
    page, complaints = show()
    page.focus("#message")
    page.keyboard.press("Enter")
    page.keyboard.type("a")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("b")
    assert page.input_value("#message") == "a\nb"
    assert page.locator(".turn").count() == 0
    page.keyboard.press("Enter")
    assert page.locator(".bubble").text_content() == "a\nb"
    whole(page)
    assert complaints == []


def test_stop_by_escape_and_by_the_button_then_regenerate_and_edit(show, patient):
    page, complaints = show(at=patient)
    page.select_option("#left", "talker")
    page.evaluate("document.querySelector('#open-controls').click()")
    page.evaluate("""() => { const knob = document.querySelector('#knob-max_tokens');
      knob.value = 1024; knob.dispatchEvent(new Event('input', {bubbles: true})); }""")
    page.click("#close-controls")
    for stop in (lambda: page.keyboard.press("Escape"), lambda: page.click("#stop")):
        ask(page, "go on")
        until(lambda: len(page.locator(".reply .text").last.text_content()) > 20)
        stop()
        whole(page)
        assert page.locator(".ended").last.text_content() == "stopped by you"
    assert page.locator(".turn").count() == 2
    page.select_option("#left", "polite")
    page.locator(".said").first.hover()
    page.locator(".tool:text-is('Edit')").first.click()
    page.fill(".edit textarea", "other")
    page.keyboard.press("Enter")
    assert whole(page) == REPLY
    assert page.locator(".turn").count() == 1
    assert page.locator(".bubble").text_content() == "other"
    page.click(".tool:text-is('Regenerate')")
    assert whole(page) == REPLY
    assert page.locator(".reply").count() == 1
    assert complaints == []


def test_ideas_are_what_the_chosen_model_can_do(show):
    page, complaints = show()
    first = page.locator(".idea").first.text_content()
    assert first.endswith("?")
    page.select_option("#left", "base")
    page.locator(".idea").first.click()
    assert page.input_value("#message") == page.locator(".idea").first.text_content() != first
    page.select_option("#left", "polite")
    assert page.locator(".idea").first.text_content() == first
    assert complaints == []


def test_two_models_side_by_side(show):
    page, complaints = show()
    page.click("#compare")
    page.select_option("#right", "base")
    assert "base was not taught to reply" in page.locator("#welcome-words").text_content()
    ask(page, "the bird")
    whole(page)
    assert page.locator(".who").all_text_contents() == ["polite", "base"]
    boxes = [page.locator(".reply").nth(place).bounding_box() for place in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert page.locator(".reply .text").first.text_content() == REPLY
    assert page.locator(".reply .text").last.text_content() != REPLY
    assert complaints == []


def test_the_attention_of_a_layer_and_head(show):
    page, complaints = show()
    ask(page, "hello")
    whole(page)
    page.click(".tool:text-is('Attention')")
    page.wait_for_selector(".look")
    assert "".join(page.locator(".look").all_text_contents()).endswith("↵")
    assert "looks at" in page.locator("dialog .note").last.text_content()
    assert page.locator("dialog select").count() == 2
    page.locator(".look").nth(2).hover()
    assert page.locator(".look[aria-selected=true]").count() == 1
    assert page.evaluate("document.querySelector('.picture').width") > 50
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert complaints == []


def test_an_answer_from_documents_shows_its_sources_as_text(show, library):
    page, complaints = show(at=library)
    page.set_viewport_size({"width": 1280, "height": 500})  # so that two answers do not fit
    page.click("#documents")
    assert page.get_attribute("#documents", "aria-pressed") == "true"
    ask(page, "What was quiet by the river?")
    assert whole(page) == REPLY
    assert page.locator(".sources h3").text_content() == "From source 1 of 1"
    assert page.locator(".cited .passage").is_visible()
    assert page.locator(".cited .passage").text_content().startswith("The café by the river was quiet.")
    assert "river.txt, characters 0 to" in page.locator(".cited .place").text_content()
    assert page.locator(".reply .tool:text-is('Attention')").count() == 0
    page.select_option("#left", "wrong")
    ask(page, "Where does Otto bake bread?")
    assert whole(page) == "<b>Otto</b> bakes bread & <script>alert('cakes')</script> in the mill."
    assert page.locator(".sources").last.locator("h3").text_content() == "Quoted from source 1 of 1"
    ask(page, "Which bread did the little elephants paint?")
    assert whole(page) == "That is not in the documents."
    assert page.locator(".sources").last.locator("h3").text_content() == "No source holds an answer. Looked at:"
    below = "document.querySelector('#talk').scrollHeight - document.querySelector('#talk').clientHeight"
    assert page.evaluate(f"{below} - document.querySelector('#talk').scrollTop") < 2, "what came last is in sight"
    assert not page.locator(".sources").last.locator(".passage").first.is_visible()
    looked_at = page.locator(".sources").last.locator("li", has_text="page.html")
    looked_at.locator("summary").press("Enter")
    shown = looked_at.locator(".passage")
    assert shown.is_visible()
    assert "<script>alert('cakes')</script>" in shown.text_content()
    page.reload()
    page.wait_for_selector(".chat")
    page.locator(".chat").first.click()
    assert page.locator(".sources").count() == 3
    page.click("#documents")
    page.select_option("#left", "polite")
    ask(page, "hello")
    assert whole(page) == REPLY
    assert page.locator(".turn").last.locator(".sources").count() == 0
    assert complaints == []


def test_sources_that_were_tampered_with_in_the_browser_break_nothing(show, library):
    page, complaints = show(at=library)
    page.evaluate("""() => {
      const chat = (id, sources) => ({id, title: id, turns: [{user: 'q', replies: [
        {model: 'polite', text: 'a', tokens: [], sources, cited: [1]}]}]});
      const good = {number: 1, document: '<img src=x onerror=alert(1)>', title: '<b>t</b>',
        text: '<script>alert(2)</script>'};
      const kept = [chat('good', [good]), chat('a', 'x'), chat('b', [3]), chat('c', [{}])];
      localStorage['linnet.chats'] = JSON.stringify(kept); }""")
    page.reload()
    page.wait_for_selector(".chat")
    assert page.locator(".chat").all_text_contents() == ["good"]
    page.locator(".chat").click()
    assert page.locator(".passage").text_content() == "<script>alert(2)</script>"
    assert page.locator("main img, main script, main b").count() == 0
    assert complaints == []


def test_without_documents_there_is_no_such_button(show):
    page, _ = show()
    assert not page.locator("#documents").is_visible()


def test_history_stays_over_a_reload_and_can_be_deleted(show):
    page, complaints = show()
    ask(page, "hello a")
    whole(page)
    page.click("#new")
    ask(page, "hello b")
    whole(page)
    page.reload()
    page.wait_for_selector("#left option", state="attached")
    assert page.locator(".chat").all_text_contents() == ["hello b", "hello a"]
    page.click(".chat:text-is('hello a')")
    assert page.locator(".reply .text").text_content() == REPLY
    page.click("[aria-label='Delete hello a']")
    assert page.locator(".chat").all_text_contents() == ["hello b"]
    page.evaluate("localStorage['linnet.chats'] = '[{\"id\": 3}, null]'; localStorage['linnet.choices'] = '{broken'")
    page.reload()
    page.wait_for_selector("#left option", state="attached")
    ask(page, "hello c")
    assert whole(page)
    assert complaints == []


def test_hostile_text_of_user_model_and_history_is_text(show):
    page, complaints = show()
    page.select_option("#left", "talker")
    ask(page, HOSTILE)
    whole(page)
    assert page.locator(".bubble").text_content() == HOSTILE
    page.click("#new")
    page.select_option("#left", "<i>hostile</i>")
    ask(page, "a")
    assert whole(page) == "<b>a"
    page.click(".tool:text-is('Tokens')")
    page.locator(".token").first.hover()
    page.click(".tool:text-is('Attention')")
    page.wait_for_selector(".look")
    page.keyboard.press("Escape")
    page.reload()
    page.wait_for_selector(".chat")
    page.locator(".chat").last.click()
    assert page.locator(".bubble").first.text_content() == HOSTILE
    assert page.locator("main img, main script, main b, main i, nav b, nav script").count() == 0
    assert complaints == []


def test_an_inline_script_would_not_run(show):
    page, complaints = show()
    page.evaluate("""() => { const node = document.createElement('script');
      node.textContent = 'window.ran = true'; document.body.append(node); }""")
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in words for words in complaints)


def test_errors_are_said_in_the_reply(show):
    page, _ = show()
    page.route("**/v1/chat/completions", lambda route: route.fulfill(
        status=429, headers={"Retry-After": "7"}, json={"error": {"message": "too <b>many</b>"}}))  # fmt: skip
    ask(page, "hello")
    page.wait_for_selector(".bad")
    assert page.locator(".bad").first.text_content() == "too <b>many</b> (try again in 7 s)"


def test_a_key_is_asked_for(show):
    with live(service_over(polite(), keys=("secret",))) as at:
        page, _ = show(at=at, ready="#key[open]")
        page.fill("#key-field", "secret")
        page.keyboard.press("Enter")
        page.wait_for_selector("#left option", state="attached")
        ask(page, "hello")
        assert whole(page) == REPLY
        assert page.evaluate("JSON.stringify(localStorage)").find("secret") < 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=list(WIDTHS))
def test_the_page_is_whole_at_any_width_by_day_and_by_night(show, width, scheme):
    page, complaints = show(width, scheme)
    assert sideways(page) <= 0
    assert [found for found in page.evaluate(CONTRASTS) if found[0] < 4.5] == []
    page.click("#compare")
    page.select_option("#left", "talker")
    page.select_option("#right", "base")  # for which it is too long: an error is to be read
    ask(page, "w" * 300 + " long words" * 30)
    page.wait_for_selector(".bad")
    whole(page)
    page.click(".tool:text-is('Tokens')")
    page.locator(".token").nth(3).click()
    assert sideways(page) <= 0
    assert (
        page.evaluate("document.querySelector('#talk').scrollWidth - document.querySelector('#talk').clientWidth") <= 0
    )
    page.wait_for_timeout(300)
    weak = [found for found in page.evaluate(CONTRASTS) if found[0] < 4.5]
    assert weak == []
    assert page.locator("#message").bounding_box()["y"] < 844
    unnamed = page.evaluate("""[...document.querySelectorAll('button, input, select, textarea, canvas')]
      .filter(node => !(node.getAttribute('aria-label') || node.textContent.trim() || node.labels?.length))
      .map(node => node.outerHTML)""")
    assert unnamed == []
    assert complaints == []


def test_chats_and_settings_on_a_phone(show):
    page, complaints = show(390)
    assert not page.locator("#new").is_visible()
    page.click("#open-history")
    page.wait_for_timeout(400)
    assert page.locator("#new").is_visible()
    page.keyboard.press("Escape")
    page.wait_for_timeout(400)
    assert not page.locator("#new").is_visible()
    page.click("#open-controls")
    assert page.locator("#knob-temperature").is_visible()
    assert sideways(page) <= 0
    page.keyboard.press("Escape")
    assert not page.locator("#controls").is_visible()
    assert complaints == []
