"""A real process: where it listens, keys, signals that let what runs end."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading

import pytest
import torch

from linnet.artifacts import save_model
from linnet.core.errors import BadInput
from linnet.serve.config import KEY_VARIABLE, ServeConfig
from linnet.serve.running import find_keys, listen
from tests.infer.networks import bpe, network
from tests.serve.material import HELLO, until


def test_a_port_that_is_taken_is_said_at_once():
    first = listen(ServeConfig(port=0))
    first.listen()
    with pytest.raises(BadInput, match="choose another"):
        listen(ServeConfig(port=first.getsockname()[1]))
    first.close()


def test_an_address_that_is_not_ours():
    with pytest.raises((BadInput, OSError)):
        listen(ServeConfig(host="192.0.2.1", port=0))


def test_keys_of_a_file_and_of_the_environment(tmp_path, monkeypatch, caplog):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert find_keys(ServeConfig()) == []
    monkeypatch.setenv(KEY_VARIABLE, "from-outside")
    assert find_keys(ServeConfig()) == ["from-outside"]
    path = tmp_path / "keys"
    path.write_text("# for the page\none\n two\n")
    path.chmod(0o600)
    assert find_keys(ServeConfig(api_key_file=path)) == ["one", "two"]
    for wrong in (b"", b"\n# none\n", b"\xff\xfe", b"a\n" * 40_000):
        path.write_bytes(wrong)
        with pytest.raises(BadInput, match="no API keys"):
            find_keys(ServeConfig(api_key_file=path))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    tokenizer = bpe()
    model = network(vocab_size=tokenizer.vocab_size, context_length=8192, num_layers=4, hidden_size=64)
    with torch.no_grad():
        model.head.weight[list(tokenizer.specials.values())] = 0
    folder = tmp_path_factory.mktemp("runs") / "talker"
    save_model(folder, model, tokenizer, chat=True)
    return folder


class Process:
    """A server in a process of its own."""

    def __init__(self, run, *more):
        words = [sys.executable, "-m", "linnet", "serve", str(run), "--port", "0", "--threads", "1", "--device", "cpu"]
        self.process = subprocess.Popen(
            [*words, "--max-new-tokens", "8000", *more], stderr=subprocess.PIPE, text=True, env={**os.environ}
        )
        self.said = []
        for line in self.process.stderr:
            self.said.append(line)
            if "serving" in line:
                break
        self.port = int(self.said[-1].rsplit(":", 1)[1])
        threading.Thread(target=lambda: self.said.extend(self.process.stderr), daemon=True).start()

    def ask(self, **more):
        asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        body = json.dumps({"model": "talker", "messages": HELLO, "temperature": 0, **more})
        asked.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        return asked.getresponse()


@pytest.mark.slow
def test_sigterm_lets_what_runs_end_and_refuses_what_comes(run):
    server = Process(run, "--drain-seconds", "600", "--request-seconds", "600")
    answer = server.ask(max_tokens=2000, stream=True)
    first = answer.read(100)
    server.process.send_signal(signal.SIGTERM)
    until(lambda: any("stopping: 1 requests" in line for line in server.said))
    refused = server.ask(max_tokens=1)
    assert refused.status == 503
    assert json.loads(refused.read())["error"]["type"] == "server_error"
    text = (first + answer.read()).decode()
    assert text.endswith("data: [DONE]\n\n")
    assert '"finish_reason":"length"' in text
    assert server.process.wait(120) == 0
    assert any("nothing was cut off" in line for line in server.said)


@pytest.mark.slow
def test_the_time_to_drain_ends(run):
    server = Process(run, "--drain-seconds", "0.5")
    answer = server.ask(max_tokens=8000, stream=True)
    answer.read(100)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 1
    assert any("stopped while 1 requests were running" in line for line in server.said)


@pytest.mark.slow
def test_ctrl_c_is_130_and_a_second_one_ends_at_once(run):
    server = Process(run)
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(60) == 130
    server = Process(run)
    answer = server.ask(max_tokens=8000, stream=True)  # kept, so that its client does not leave
    answer.read(100)
    server.process.send_signal(signal.SIGINT)
    until(lambda: any("stopping: 1 requests" in line for line in server.said))
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(120) in (1, 130)
    answer.close()


@pytest.mark.slow
def test_others_without_a_key_are_warned_of(run):
    server = Process(run, "--host", "0.0.0.0")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0
    assert any("without an API key" in line for line in server.said)
