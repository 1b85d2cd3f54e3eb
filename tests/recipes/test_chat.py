"""`linnet chat`: a reply for each line of input, commands, Ctrl-C that stops a reply only, UTF-8 whole."""

import io
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from linnet.artifacts import save_model
from linnet.cli import main
from linnet.infer.chatting import Chat
from linnet.infer.config import SamplingConfig
from linnet.recipes import chat as recipe
from linnet.recipes.chat import messages, read_line, talk
from linnet.text.chat import FILE, stop_id
from tests.infer.networks import bpe, chain, network

REPLY = "café"


@pytest.fixture(scope="module")
def tokenizer():
    return bpe()


@pytest.fixture(scope="module")
def run(tmp_path_factory, tokenizer):
    """Return a folder of a model that gives one reply to everything."""
    folder = tmp_path_factory.mktemp("runs") / "polite"
    model = chain(tokenizer, [*tokenizer.encode("\n"), *tokenizer.encode(REPLY), stop_id(tokenizer)])
    save_model(folder, model, tokenizer, chat=True)
    return folder


def ask(run, text, monkeypatch, capsys, *more):
    """Chat with piped input; return (exit code, replies, what else was said)."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    capsys.readouterr()
    code = main(["chat", str(run), "--temperature", "0", "--max-tokens", "12", "--threads", "1", *more])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_each_line_gets_a_reply(run, monkeypatch, capsys):
    code, out, err = ask(run, "hello\n\n  \nthe bird\n", monkeypatch, capsys)
    assert (code, out) == (0, f"{REPLY}\n" * 2)
    assert "/reset, /system, /history, /help, /quit" in err


def test_commands(run, monkeypatch, capsys):
    lines = "/system quiet\nhello\n/history\n/reset\n/system\n/history\n/help\n/nope x\n/quit\nhello\n"
    code, out, err = ask(run, lines, monkeypatch, capsys)
    assert (code, out) == (0, f"{REPLY}\n"), "nothing is answered after /quit, and commands go to no model"
    notes = err.splitlines()[1:]
    assert notes[:5] == [
        "(system: quiet)",
        "[system] quiet",
        "[user] hello",
        f"[assistant] {REPLY}",
        "(a new conversation)",
    ]
    assert notes[5] == "(no system message)"
    assert notes[6].startswith("/reset ")
    assert notes[-1].startswith("/nope: no such command; there are /reset")


def test_a_system_message_of_the_command_line(run, monkeypatch, capsys):
    _, _, err = ask(run, "/history\n", monkeypatch, capsys, "--system", "quiet")
    assert "[system] quiet" in err


def test_what_is_too_long_is_said_and_the_talk_goes_on(run, monkeypatch, capsys):
    code, out, err = ask(run, f"{'x' * 400}\nhello\n", monkeypatch, capsys)
    assert (code, out) == (0, f"{REPLY}\n")
    assert "say it in fewer words" in err


def test_a_full_context_is_said(run, monkeypatch, capsys):
    code, out, err = ask(run, "hello\n" * 4, monkeypatch, capsys)
    assert (code, out) == (0, f"{REPLY}\n" * 4)
    assert "the model's context is full: the first " in err


def test_several_lines_between_marks_are_one_message():
    lines = iter(['"""a\n', "\n", 'b"""\n', "c\r\n", '""" d """\n', '"""\n', "/quit\n", '"""\n', '"""e\n', "f"])
    found = list(messages(lambda: next(lines, "")))
    assert found == ["a\n\nb", "c", " d ", "/quit", "e\nf"]


def test_input_that_is_no_text(monkeypatch, run, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hello\n\xff\xfe\n"), encoding="utf-8"))
    assert main(["chat", str(run), "--temperature", "0"]) == 2
    assert "not UTF-8" in capsys.readouterr().err


def test_a_surrogate_is_said_and_the_talk_goes_on(run, monkeypatch, capsys):
    code, out, err = ask(run, "\udc80\nhello\n", monkeypatch, capsys)
    assert (code, out) == (0, f"{REPLY}\n")
    assert "surrogate" in err


class Impatient(Chat):
    """A chat in which Ctrl-C comes after the first piece of a reply."""

    def _reply(self, ids):
        for number, piece in enumerate(super()._reply(ids)):
            yield piece
            if number == 1:
                raise KeyboardInterrupt


def test_ctrl_c_stops_the_reply_and_not_the_program(tokenizer, capsys):
    model = chain(tokenizer, [*tokenizer.encode("\n"), *tokenizer.encode(REPLY), stop_id(tokenizer)])
    lines = iter(["hello\n", "the bird\n"])
    chat = Impatient(model, tokenizer, SamplingConfig(temperature=0, max_tokens=9))
    talk(chat, lambda: next(lines, ""))
    said = capsys.readouterr()
    assert said.out == f"{REPLY[:3]}\n" * 2
    assert said.err.count("(stopped)") == 2
    assert [message.content for message in chat.messages] == ["hello", REPLY[:3], "the bird", REPLY[:3]]


def test_ctrl_c_at_the_prompt_asks_again(monkeypatch, capsys):
    answers = iter([KeyboardInterrupt(), "hello\n"])

    class Typing(io.StringIO):
        def readline(self, size=-1):
            answer = next(answers)
            if isinstance(answer, BaseException):
                raise answer
            return answer

    monkeypatch.setattr(sys, "stdin", Typing())
    assert read_line() == "hello\n"
    assert "Ctrl-D or /quit leaves" in capsys.readouterr().err


def test_a_model_that_was_not_taught_to_reply_is_refused(tmp_path, tokenizer, capsys):
    save_model(tmp_path, network(vocab_size=tokenizer.vocab_size), tokenizer)
    assert main(["chat", str(tmp_path)]) == 2
    assert "was not taught to reply" in capsys.readouterr().err
    (tmp_path / FILE).write_text("{{ messages }}")
    assert main(["chat", str(tmp_path)]) == 2
    assert "another chat format than linnet's" in capsys.readouterr().err


def test_the_terminal_shows_no_control_characters(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    recipe.say("a\x1b[2J\nb")
    assert capsys.readouterr().out == "a\N{REPLACEMENT CHARACTER}[2J\nb"


@pytest.mark.slow
def test_a_real_ctrl_c_stops_a_real_reply(tmp_path, tokenizer):
    model = network(vocab_size=tokenizer.vocab_size, context_length=4096, num_layers=4, hidden_size=64)
    with torch.no_grad():
        model.head.weight[list(tokenizer.specials.values())] = 0  # it hardly ever stops by itself
    save_model(tmp_path, model, tokenizer, chat=True)
    words = [sys.executable, "-m", "linnet", "chat", str(tmp_path), "--max-tokens", "4000", "--threads", "1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(words, **pipes, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    process.stdin.write(b"hello\n")
    process.stdin.flush()
    process.stdout.read(1)  # the reply has begun
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(b"/history\n/quit\n", timeout=120)
    assert process.returncode == 0, err
    assert b"(stopped)" in err
    assert b"[user] hello" in err
    out.decode()
