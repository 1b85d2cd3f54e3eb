"""Hub names are recognised; without a network they are one clear line."""

import subprocess
import sys

import pytest

from linnet.core.errors import BadInput
from linnet.data.hub import hub_rows, is_hub_name


@pytest.mark.parametrize("name", ["org/name", "Org-1/na.me", "org/name:config_2"])
def test_hub_names(name):
    assert is_hub_name(name)


@pytest.mark.parametrize("name", ["name", "a/b/c", "/a/b", "a/b c", "a/", "*/b", "a/b:"])
def test_other_names(name):
    assert not is_hub_name(name)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(BadInput, match=r'pip install "linnet\[data\]"'):
        next(hub_rows("org/name", "train"))


def test_without_a_network_it_is_one_line():
    pytest.importorskip("datasets", reason="the extra `data` is not installed")
    code = """
from linnet.core.errors import BadInput
from linnet.data.sources import documents
try:
    next(documents("no-such-org/no-such-name"))
except BadInput as error:
    print(error)
"""
    environment = {**__import__("os").environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("hub data set no-such-org/no-such-name: cannot be had")
    assert done.stdout.count("\n") == 1
    assert "world" in done.stdout
