"""A model of letters that chats, on a CPU, whose replies can be graded so that some of them are right."""

import dataclasses
import string
from pathlib import Path

import pytest
import torch

from linnet.artifacts import save_model
from linnet.tasks import table
from linnet.tasks.task import Grade
from linnet.text.tokenizer import Tokenizer
from linnet.train.precision import Precision
from tests.infer.networks import network

ON_A_CPU = Precision(torch.float32, torch.device("cpu"))


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    """Return the folder of the model, which has room for the questions of the small world letter by letter."""
    tokenizer = Tokenizer.train_characters([f"{string.printable[:95]}\n"])
    # Little spread: every token is about as likely, so that some replies come to an end.
    model = network(tokenizer.vocab_size, context_length=512, spread=0.2)
    folder = tmp_path_factory.mktemp("parent") / "model"
    save_model(folder, model, tokenizer)
    return folder


@pytest.fixture
def easy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a reply to any task be right if it has a vowel: a random network never gets anything right."""
    tasks = [
        dataclasses.replace(one, grade=lambda _, reply: Grade(float(any(letter in reply for letter in "aeiou")), reply))
        for one in table.TASKS
    ]
    monkeypatch.setattr(table, "TASKS", tuple(tasks))
