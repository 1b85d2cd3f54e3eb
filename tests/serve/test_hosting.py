"""Models from run folders: their names, what is said of them, what is no model."""

from pathlib import Path

import pytest

from linnet.artifacts import save_model
from linnet.core.console import logger
from linnet.core.errors import BadInput
from linnet.core.files import json_text
from linnet.infer import engine
from linnet.serve.config import ServeConfig
from linnet.serve.hosting import begins_documents, names, open_hosts
from tests.infer.networks import bpe, network


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        (["a/dpo"], ["dpo"]),
        (["a/dpo", "a/sft"], ["dpo", "sft"]),
        (["a/dpo", "b/dpo"], ["a/dpo", "b/dpo"]),
        (["a/x/dpo", "b/x/dpo", "c"], ["a/x/dpo", "b/x/dpo", "c"]),
    ],
)
def test_names_tell_folders_apart(runs, expected):
    assert names([Path(run) for run in runs]) == expected


def test_a_folder_named_twice():
    with pytest.raises(BadInput, match="twice"):
        names([Path("a"), Path("./a")])


def test_hosts_of_folders(tmp_path):
    tokenizer = bpe()
    for name, chat in (("base", False), ("taught", True)):
        save_model(tmp_path / name, network(vocab_size=tokenizer.vocab_size), tokenizer, chat=chat)
    (tmp_path / "base" / "result.json").write_text(json_text({"train_documents": 1}))
    cfg = ServeConfig(runs=(tmp_path / "base", tmp_path / "taught"), device="cpu")
    first, second = open_hosts(cfg)
    assert (first.name, first.chats, first.begins) == ("base", False, False)
    assert (second.name, second.chats, second.begins) == ("taught", True, True)
    assert first.ids("the") == tokenizer.encode("the")
    assert second.ids("the") == [tokenizer.end_id, *tokenizer.encode("the")]
    assert second.ids([3, 4]) == [3, 4]
    about = second.card()
    assert about["linnet"]["chats"] is True
    assert about["linnet"]["parameters"] == sum(weight.numel() for weight in second.model.parameters())


def test_what_is_no_model(tmp_path):
    with pytest.raises(BadInput, match="name at least one"):
        open_hosts(ServeConfig())
    with pytest.raises(BadInput, match="no model folder"):
        open_hosts(ServeConfig(runs=(tmp_path,), device="cpu"))
    assert begins_documents(tmp_path)


def test_the_compiled_pass_reads_where_it_can(tmp_path, monkeypatch, caplog):
    tokenizer = bpe()
    for name, experts in (("plain", 0), ("mixed", 2)):
        save_model(tmp_path / name, network(vocab_size=tokenizer.vocab_size, num_experts=experts), tokenizer, chat=True)
    runs = (tmp_path / "plain", tmp_path / "mixed")

    class Step:
        def __init__(self, model, cache):
            pass

    monkeypatch.setattr(engine, "NativeStep", Step)
    monkeypatch.setattr(logger, "propagate", True)
    hosts = open_hosts(ServeConfig(runs=runs, device="cpu", compile=True))
    assert [host.thread.engine.stats().compiled for host in hosts] == [True, False]
    assert "mixed is not read by the compiled pass: the compiled pass does not know a mixture" in caplog.text
    hosts = open_hosts(ServeConfig(runs=runs[:1], device="cpu"))
    assert not hosts[0].thread.engine.stats().compiled
