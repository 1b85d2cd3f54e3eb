"""What TARGET names, and what is said when it names nothing."""

import sys

import pytest

from linnet.artifacts import save_model
from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder
from linnet.prove.target import find_subject
from linnet.text.tokenizer import Tokenizer
from tests.prove.subjects import decoder

MODULE = """
from torch import nn
from linnet.prove.subject import Subject

def subject():
    net = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 9))
    return Subject("mine", net, vocab_size=9, logits=net)

def bare():
    return nn.Linear(1, 1)

number = 3
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "some_module_of_mine", raising=False)
    (tmp_path / "some_module_of_mine.py").write_text(MODULE)
    return tmp_path


def test_code_of_the_current_folder(here):
    assert find_subject("some_module_of_mine:subject").name == "mine"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("some_module_of_mine:bare", "returns a Linear; wrap the model"),
        ("some_module_of_mine:other", "has no function other"),
        ("some_module_of_mine:number", "has no function number"),
        ("no_such_module:subject", "is no_such_module.py in the current folder"),
        ("nowhere", "no such folder"),
        (":subject", "no such folder"),
        ("empty", "neither a linnet folder"),
    ],
)
def test_what_names_nothing_is_one_line(here, target, said):
    (here / "empty").mkdir()
    with pytest.raises(BadInput, match=said):
        find_subject(target)


def test_a_linnet_folder(here):
    tokenizer = Tokenizer.train_characters(["abc"])
    save_model(here / "run", Decoder(decoder("ours").config.but(vocab_size=tokenizer.vocab_size)), tokenizer)
    assert find_subject("run", "cpu").vocab_size == tokenizer.vocab_size


def test_a_transformers_folder(here):
    (here / "theirs").mkdir()
    (here / "theirs" / "config.json").write_text("{}")
    with pytest.raises(BadInput, match=r"has no model\.safetensors"):
        find_subject("theirs")
