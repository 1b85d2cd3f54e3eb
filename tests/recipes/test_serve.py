"""`linnet serve`: what is wrong is said before anything listens."""

import importlib.util

import pytest

from linnet.cli import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name at least one run folder"),
        (["nothing-here"], "no model folder"),
        (["a", "--port", "70000"], "less than or equal to 65535"),
        (["a", "--api-key-file", "nothing-here"], "nothing-here"),
    ],
)
def test_bad_input_is_one_line(words, said, capsys):
    assert main(["serve", *words, *([] if "--port" in words else ["--port", "0"])]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert said in lines[0]


def test_a_missing_gradio_names_its_own_extra(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "gradio" else find(name, *more)
    )
    assert main(["serve", "a", "--gradio"]) == 2
    assert 'needs the package gradio: pip install "linnet[gradio]"' in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn"])
def test_a_missing_package_names_the_extra(missing, monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == missing else find(name, *more))
    assert main(["serve", "a"]) == 2
    assert f'needs the package {missing}: pip install "linnet[serve]"' in capsys.readouterr().err
