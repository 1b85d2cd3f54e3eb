"""The guides stay true: each command line in them parses, what they name exists, systemd takes the unit."""

import configparser
import functools
import json
import re
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from linnet import cli

ROOT = Path(__file__).resolve().parent.parent
GUIDES = ROOT / "docs" / "guides"
FILES = GUIDES / "deployment"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)  # of commands; others name their kind
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def commands(text: str) -> list[list[str]]:
    """Return the command lines of a text's blocks that call linnet, as words."""
    blocks = [block for kind, block in BLOCK.findall(text) if not kind]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("linnet ")]


def of_guides() -> list[tuple[str, list[str]]]:
    found = [(path.name, words) for path in sorted(GUIDES.glob("*.md")) for words in commands(path.read_text())]
    unit = (FILES / "linnet.service").read_text().replace("\\\n", " ")
    start = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    container = (FILES / "Containerfile").read_text()
    entry, more = (json.loads(re.search(rf"^{name} (\[.*\])$", container, re.MULTILINE)[1])
                   for name in ("ENTRYPOINT", "CMD"))  # fmt: skip
    return [
        *found,
        ("linnet.service", shlex.split(start.partition("=")[2])[1:]),
        ("Containerfile", [*entry, *more][1:]),
    ]


@pytest.fixture
def parsed(monkeypatch):
    """Return what runs a command line up to its recipe, which is not run: the config that it would get."""
    real, got = cli.command, []

    def command(name, recipe_main, *more):
        @functools.wraps(recipe_main)
        def noted(cfg):
            got.append(cfg)

        return real(name, noted, *more)

    monkeypatch.setattr(cli, "command", command)
    return lambda words: (cli.main(words), got)


@pytest.mark.parametrize(("where", "words"), of_guides(), ids=str)
def test_a_command_line_parses(where, words, parsed, capsys):
    code, got = parsed(words)
    assert code == 0, f"{where}: linnet {' '.join(words)}: {capsys.readouterr().err}"
    assert len(got) == 1


def test_a_line_that_does_not_parse_is_told(parsed, capsys):
    assert parsed(["rag", "runs/index", "--sauces", "3"]) == (2, [])
    assert "--sauces" in capsys.readouterr().err
    assert len(of_guides()) > 20
    assert commands(
        "```text\nlinnet shown\n```\n\n```\nlinnet a \\\n  --b 'c d'\ncp x y\n```\n```text\nlinnet no\n```\n"
    ) == [["a", "--b", "c d"]]


def test_every_guide_has_commands_and_is_linked_from_the_readme():
    readme = (ROOT / "README.md").read_text()
    for path in GUIDES.glob("*.md"):
        assert commands(path.read_text()), path.name
        assert f"docs/guides/{path.name}" in readme, f"README.md does not link {path.name}"


def test_what_they_name_exists():
    for path in GUIDES.glob("*.md"):
        text = path.read_text()
        links = [path.parent / link for link in LINK.findall(text)]
        named = [ROOT / name for name in re.findall(r"docs/guides/[\w./-]*\w", text)]
        assert links
        assert [str(one) for one in [*links, *named] if not one.exists()] == []
    copied = re.findall(r"^COPY (.*) \S+$", (FILES / "Containerfile").read_text(), re.MULTILINE)
    assert [name for names in copied for name in names.split() if not (ROOT / name).exists()] == []
    assert {path.name for path in FILES.iterdir()} == set(
        re.findall(r"\(deployment/([^)]+)\)", (GUIDES / "deployment.md").read_text())
    )


def test_times_of_service_container_and_proxy_fit_each_other():
    unit, words = unit_file(FILES / "linnet.service"), dict(of_guides())["linnet.service"]
    chosen = {name.removeprefix("--"): value for name, value in pairwise(words)}
    stop, drain = float(unit["Service"]["TimeoutStopSec"]), float(chosen["drain-seconds"])
    assert stop > drain
    waits = float(re.search(r"proxy_read_timeout (\d+)s", (FILES / "nginx.conf").read_text())[1])
    assert waits > float(chosen["request-seconds"])
    assert f"server_name {chosen['allow-host']};" in (FILES / "nginx.conf").read_text()
    assert f"127.0.0.1:{chosen['port']}" in (FILES / "nginx.conf").read_text()
    assert "proxy_buffering off;" in (FILES / "nginx.conf").read_text()


def unit_file(path: Path) -> configparser.RawConfigParser:
    unit = configparser.RawConfigParser(strict=False, inline_comment_prefixes=None)
    unit.optionxform = str
    unit.read_string(path.read_text().replace("\\\n", " "))
    return unit


def test_systemd_takes_the_unit(tmp_path):
    unit = unit_file(FILES / "linnet.service")
    assert {"Unit", "Service", "Install"} == set(unit.sections())
    assert unit["Service"]["ExecStart"].split()[1] == "serve"
    if shutil.which("systemd-analyze") is None:
        return  # parsed, as far as that can be told without it
    here = (FILES / "linnet.service").read_text().replace("/opt/linnet/.venv/bin/linnet", sys.executable)
    (tmp_path / "linnet.service").write_text(here)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(tmp_path / "linnet.service")],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
