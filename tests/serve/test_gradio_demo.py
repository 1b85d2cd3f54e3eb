"""The Gradio demo: replies grow, a closed one frees its slot; with Gradio there, its page answers over a socket."""

from itertools import pairwise

import pytest

from linnet.core.errors import BadInput
from linnet.serve.config import ServeConfig
from linnet.serve.gradio_demo import demo, saying, serve_gradio, text_of
from tests.serve.material import REPLY, polite, talker, until

CFG = ServeConfig(slots=4)


@pytest.fixture
def hosts():
    found = {host.name: host for host in (polite(), talker())}
    for host in found.values():
        host.thread.start()
    yield found
    for host in found.values():
        host.thread.stop()


def test_a_reply_grows_and_ends(hosts):
    pieces = list(saying(hosts, CFG)("hello", [], "polite", 0, 50, False))
    assert pieces[-1] == REPLY
    assert all(after.startswith(before) for before, after in pairwise(pieces))
    assert len(pieces) > 1


def test_what_was_said_before_is_read(hosts):
    history = [{"role": "user", "content": "a"}, {"role": "assistant", "content": [{"type": "text", "text": "b"}]}]
    before = hosts["talker"].thread.engine.stats().prompt_tokens_read
    list(saying(hosts, CFG)("hello", [], "talker", 0, 8, False))
    alone = hosts["talker"].thread.engine.stats().prompt_tokens_read - before
    list(saying(hosts, CFG)("other", history, "talker", 0, 8, False))
    assert hosts["talker"].thread.engine.stats().prompt_tokens_read - before > 2 * alone
    assert text_of([{"type": "text", "text": "b"}, {"type": "file"}]) == "b"


def test_a_reply_that_is_stopped_frees_its_slot(hosts):
    reply = saying(hosts, CFG)("go on", [], "talker", 0, 1000, False)
    next(reply)
    reply.close()
    until(lambda: hosts["talker"].thread.engine.stats().active == 0)
    assert hosts["talker"].thread.engine.stats().tokens_made < 1000


def test_what_cannot_be_asked_is_said(hosts):
    [said] = saying(hosts, CFG)("x" * 900, [], "polite", 0, 50, False)
    assert "fewer words" in said


def test_keys_and_an_index_are_not_for_it(tmp_path, monkeypatch):
    monkeypatch.delenv("LINNET_API_KEY", raising=False)
    with pytest.raises(BadInput, match="neither API keys nor --index"):
        serve_gradio(ServeConfig(index=tmp_path))


@pytest.mark.slow
def test_gradio_answers_over_a_socket(hosts):
    pytest.importorskip("gradio", reason="GRADIO NOT FOUND: the demo's page is not tested")
    client = pytest.importorskip("gradio_client")
    page = demo(list(hosts.values()), CFG)
    _, address, _ = page.launch(prevent_thread_lock=True, share=False, ssr_mode=False, quiet=True)
    try:
        asked = client.Client(address, verbose=False, analytics_enabled=False)
        job = asked.submit("hello", "polite", 0, 48, False, api_name="/chat")
        assert job.result(timeout=60) == REPLY
        assert job.outputs()[-1] == REPLY
    finally:
        page.close()
