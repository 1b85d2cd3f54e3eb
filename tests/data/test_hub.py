"""Hub names are recognised; without a network they are one clear line, at once."""

import os
import socket
import subprocess
import sys

import pytest

from linnet.core.errors import BadInput
from linnet.data.hub import hub_rows, is_hub_name

PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@pytest.mark.parametrize("name", ["org/name", "Org-1/na.me", "org/name:config_2"])
def test_hub_names(name):
    assert is_hub_name(name)


@pytest.mark.parametrize("name", ["name", "a/b/c", "/a/b", "a/b c", "a/", "*/b", "a/b:"])
def test_other_names(name):
    assert not is_hub_name(name)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(BadInput, match=r'pip install "linnet\[data\]"'):
        next(hub_rows("org/name", "train"))


def test_an_unreachable_hub_is_said_at_once(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with socket.socket() as closed:  # bound and not listening: connections are refused
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        with pytest.raises(BadInput, match=r"org/name: no such file .* cannot be reached .*refused.*world"):
            next(hub_rows("org/name", "train"))


@pytest.mark.slow
def test_rows_and_splits_are_what_the_library_finds(tmp_path):
    pytest.importorskip("datasets", reason="the extra `data` is not installed")
    (tmp_path / "org" / "name").mkdir(parents=True)  # the library takes a relative folder for a hub name
    for split, text in {"train": "one", "test": "two"}.items():
        (tmp_path / "org" / "name" / f"{split}.jsonl").write_text(f'{{"text": "{text}", "label": 1}}\n')
    code = """
from linnet.core.errors import BadInput
from linnet.data.hub import hub_rows
print(list(hub_rows("org/name", "train")), list(hub_rows("org/name", "test")))
try:
    next(hub_rows("org/name", "tests"))
except BadInput as error:
    print(error)
"""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    found, problem = done.stdout.splitlines()
    assert found == "[{'text': 'one', 'label': 1}] [{'text': 'two', 'label': 1}]"
    assert problem.startswith("hub data set org/name, split tests: ")
    assert "train" in problem


@pytest.mark.slow
def test_offline_a_data_set_that_is_not_in_the_cache_is_one_line():
    pytest.importorskip("datasets", reason="the extra `data` is not installed")
    code = """
from linnet.core.errors import BadInput
from linnet.data.sources import documents
try:
    next(documents("no-such-org/no-such-name"))
except BadInput as error:
    print(error)
"""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("hub data set no-such-org/no-such-name: cannot be had")
    assert done.stdout.count("\n") == 1
    assert "world" in done.stdout
