"""The load on a server: small, but with every kind of client; and each fault that it looks for is found."""

import asyncio
import json
import subprocess
import sys

import pytest
import torch

from bench.crowd import Crowd, Cut, heard, unchunked, whole
from bench.serve import moved
from linnet.artifacts import save_model
from tests.infer.networks import bpe, network

PIECE = {"delta": {"content": "a"}, "logprobs": {"content": [{}]}, "finish_reason": None}
END = {"delta": {}, "logprobs": None, "finish_reason": "length"}


def stream(*choices, used=1, end=b"data: [DONE]\n\n") -> bytes:
    chunks = [*({"choices": [one]} for one in choices), {"choices": [], "usage": {"completion_tokens": used}}]
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + end


def test_a_stream_must_end_with_done_a_finish_and_the_right_usage():
    assert heard(stream(PIECE, END)).text == "a"
    for wrong in (stream(PIECE, END, end=b""), stream(PIECE), stream(PIECE, END, used=2), stream(PIECE, PIECE, END)):
        with pytest.raises(ValueError, match=r"ends|finish"):
            heard(wrong)


def test_an_answer_without_its_end_is_cut():
    assert unchunked(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n") == b"abcde"
    for wrong in (b"3\r\nabc\r\n", b"3\r\nab", b""):
        with pytest.raises(Cut):
            unchunked(wrong)
    assert whole(b"HTTP/1.1 429 No\r\nRetry-After: 3\r\ncontent-length: 2\r\n\r\n{}").headers["retry-after"] == "3"
    for wrong in (b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}"):
        with pytest.raises(Cut):
            whole(wrong)


def test_memory_is_compared_behind_the_warm_up():
    assert moved([1, 1, 1, 5, 5, 5, 5, 5, 5, 5, 5, 5]) == 0
    assert moved([5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6]) == pytest.approx(0.2)
    assert moved([1] * 11) is None


def test_another_answer_than_alone_is_a_fault():
    crowd = Crowd("", 0, "m", 1, right={"q": heard(stream(PIECE, END))})
    crowd.ask = lambda data, slow: asyncio.sleep(0, whole(b"HTTP/1.1 200 OK\r\n\r\n" + stream(END, used=0)))
    with pytest.raises(ValueError, match="was answered"):
        asyncio.run(crowd.read_whole("q", b""))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    tokenizer = bpe()
    model = network(vocab_size=tokenizer.vocab_size, context_length=512, num_layers=4, hidden_size=64)
    with torch.no_grad():
        model.head.weight[list(tokenizer.specials.values())] = 0
    folder = tmp_path_factory.mktemp("runs") / "talker"
    save_model(folder, model, tokenizer, chat=True)
    return folder


@pytest.mark.slow
def test_a_small_load_and_a_drain(run, tmp_path):
    out = tmp_path / "serve.json"
    words = f"serve {run} --parts load drain --clients 24 --seconds 6 --max-tokens 48 --slots 6 --queue 6".split()
    done = subprocess.run([sys.executable, "-m", "bench", *words, "--json", str(out)], stdout=subprocess.PIPE)
    found = json.loads(out.read_text())
    assert (found["load"]["faults"], found["drain"]["faults"], done.returncode) == ([], [], 0)
    assert found["load"]["met"].keys() >= {"whole", "whole, read slowly", "killed", "malformed", "refused with 429"}
    assert found["drain"]["whole"] > 0
