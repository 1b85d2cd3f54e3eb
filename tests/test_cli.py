"""The command line as a user meets it: help, layers of choices, one line a mistake, exit codes, no torch for help."""

import errno
import importlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from linnet import __version__, cli
from linnet.core.console import logger
from linnet.core.errors import BadInput, Failed, Stopped

RECIPE = '''"""A recipe of the tests."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from linnet.core.config import Config, OptionalInt, Positional


class Network(Config):
    """A network."""

    num_layers: int = Field(default=2, ge=1)
    """How many layers it has."""


class ToyConfig(Config):
    """Choices of `linnet world`."""

    run: Annotated[Path, Positional()] = Path("runs/toy")
    """Folder of the run."""
    tokenizer: str = "bpe"
    """A field with the name of a command."""
    steps: int = Field(default=3, ge=1)
    """How many steps."""
    top_k: OptionalInt = 5
    """How many tokens to choose from."""
    kind: Literal["small", "large"] = "small"
    """Which kind."""
    words: tuple[str, ...] = ()
    """Several words."""
    resume: bool = False
    """Whether to go on."""
    end: str = "dict"
    """How to end."""
    model: Network = Network(num_layers=4)
    """The network."""


def main(cfg: ToyConfig):
    """Do what `end` says."""
    from linnet.core.errors import BadInput, Failed, Stopped
    from linnet.core.run import Run

    if cfg.end == "run":
        with Run.start(cfg.run, cfg, "world", track="none") as run:
            run.finish(loss=1.5)
        return cfg.run
    ends = {
        "bad": BadInput("a: is empty;\\n  give more"),
        "failed": Failed("the loss is not a number"),
        "crash": ZeroDivisionError("by zero"),
        "ctrl-c": KeyboardInterrupt(),
        "stopped": Stopped("saved at step 3", 143),
        "full": OSError(28, "No space left on device", "a.bin"),
        "odd": OSError(5, "Input/output error"),
    }
    if cfg.end in ends:
        raise ends[cfg.end]
    return {"config": cfg} if cfg.end == "config" else cfg.model_dump(mode="json")
'''


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Give a linnet whose `world` is the recipe above and whose presets are known, beside the real one."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "toy_recipe.py").write_text(RECIPE)
    (folder / "toy_linnet.py").write_text(
        "import sys, types, importlib.machinery as m, linnet.recipes, toy_recipe\n"
        "toy_recipe.__spec__ = m.ModuleSpec('linnet.recipes.world', None)\n"
        "sys.modules['linnet.recipes.world'] = toy_recipe\n"
        "presets = types.ModuleType('linnet.presets')\n"
        "presets.__spec__ = m.ModuleSpec('linnet.presets', None)\n"
        "presets.PRESETS = {'tiny': lambda: {'world': {'steps': 11, 'model': {'num_layers': 11}}}}\n"
        "sys.modules['linnet.presets'] = presets\n"
        "if __name__ == '__main__':\n"
        "    from linnet.cli import main\n"
        "    sys.exit(main())\n"
    )
    return {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "120", "NO_COLOR": "1"}


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def toy(environment, tmp_path, monkeypatch, capsys):
    """Run the toy in this process: a process each would take a minute for all."""
    before = sys.modules.copy()
    handlers, propagate, level = logger.handlers[:], logger.propagate, logger.level
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.syspath_prepend(environment["PYTHONPATH"])
    importlib.import_module("toy_linnet")

    def run(*words: str) -> Done:
        capsys.readouterr()
        return Done(cli.main(words), *capsys.readouterr())

    yield run
    for name in ("linnet.recipes.world", "linnet.presets", "toy_linnet", "toy_recipe"):
        sys.modules.pop(name, None)
        if name in before:
            sys.modules[name] = before[name]
    logger.handlers[:], logger.propagate, logger.level = handlers, propagate, level


def chosen(done: Done) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_help_lists_every_command_in_order_and_imports_no_torch():
    program = "import sys; from linnet.cli import main; main(['--help']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    places = [done.stdout.index(f"│ {name} ") for name in cli.COMMANDS]
    assert places == sorted(places)
    assert done.stdout.endswith("False\n")


def test_help_of_each_command_imports_no_torch():
    # One process for all; what one command imports may be needed by a later one, so that only torch is looked for.
    program = (
        "import sys; from linnet import cli\n"
        "for name in cli.COMMANDS: print(name, cli.main([name, '--help']), 'torch' in sys.modules, sep='|')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == ""
    *helps, rest = re.split(r"^([\w-]+)\|0\|False\n", done.stdout, flags=re.MULTILINE)
    assert rest == ""
    assert helps[1::2] == list(cli.COMMANDS)
    assert all("--config" in text for text in helps[0::2])


@pytest.mark.slow
@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_of_each_command_works_alone(name):
    done = subprocess.run([sys.executable, "-m", "linnet", name, "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--config" in done.stdout


@pytest.mark.alone
def test_help_is_quick():
    def seconds(*words: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "linnet", *words], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Of the processor, not of the clock, so that a busy machine does not matter. Here 0.14 s and 0.38 s.
    assert min(seconds("--help") for _ in range(3)) < 0.25
    assert min(seconds("pretrain", "--help") for _ in range(3)) < 0.5


def test_the_table_of_commands_is_the_folder_of_recipes():
    files = {path.stem for path in Path(cli.__file__).parent.glob("recipes/*.py")} - {"__init__"}
    assert set(cli.COMMANDS) == {name.replace("_", "-") for name in files} | set(cli.HOMES)


def test_version_and_module():
    done = subprocess.run([sys.executable, "-m", "linnet", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{__version__}\n")


def test_no_words_show_the_help(capsys):
    assert cli.main([]) == 0
    assert "Commands" in capsys.readouterr().out


def test_help_of_a_command_shows_help_texts_defaults_and_groups(toy):
    done = toy("world", "--help")
    for words in (
        "RUN --run",
        "Folder of the run.",
        "--steps INT",
        "How many steps. [default: 3]",
        "--kind small|large",
        "--resume --no-resume",
        "--model.num-layers INT",
        "How many layers it has. [default: 4]",
        "--preset",
        "--json",
    ):
        assert words in done.stdout


def test_options_reach_the_recipe(toy):
    words = "world here --steps 7 --top-k none --kind large --words a --words b --resume --model.num-layers 9 --json"
    assert chosen(toy(*words.split())) == {
        "run": "here",
        "tokenizer": "bpe",
        "steps": 7,
        "top_k": None,
        "kind": "large",
        "words": ["a", "b"],
        "resume": True,
        "end": "dict",
        "model": {"num_layers": 9},
    }
    assert chosen(toy("world", "--no-resume", "--run=x", "--model.num_layers", "3", "--json"))["run"] == "x"


def test_options_win_over_files_over_the_preset(toy, tmp_path):
    (tmp_path / "a.yaml").write_text("steps: 22\ntokenizer: of-the-file\n")
    (tmp_path / "b.json").write_text('{"steps": 33}')
    assert chosen(toy("world", "--preset", "tiny", "--json"))["steps"] == 11
    assert chosen(toy("world", "--config", "a.yaml", "--preset", "tiny", "--json"))["steps"] == 22
    found = chosen(toy("world", "--steps", "44", "--config", "a.yaml", "--preset", "tiny", "--json"))
    assert (found["steps"], found["tokenizer"], found["model"]) == (44, "of-the-file", {"num_layers": 11})
    assert chosen(toy("world", "--config", "a.yaml", "--config", "b.json", "--json"))["steps"] == 33


def test_the_config_of_a_run_is_a_valid_config(toy, tmp_path):
    words = ["--end", "run", "--top-k", "none", "--words", "a", "--model.num-layers", "6"]
    assert toy("world", "first", *words).stdout == "first\n"
    found = chosen(toy("world", "--config", "first/config.json", "--end", "config", "--json"))["config"]
    assert found == {**json.loads((tmp_path / "first" / "config.json").read_text()), "end": "config"}
    again = toy("world", "first", *words, "--steps", "4")
    assert again.returncode == 2
    assert "steps was 3, now 4" in again.stderr


def test_a_run_prints_its_folder_and_as_json_its_numbers(toy):
    assert toy("world", "--end", "run").stdout == "runs/toy\n"
    assert chosen(toy("world", "--end", "run", "--json")) == {"run": "runs/toy", "loss": 1.5}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("wrold", 'unknown command "wrold". Did you mean "world"?'),
        ("world --step 4", "unknown option: --step. Did you mean --steps?"),
        ("world --steps 0", "--steps: Input should be greater than or equal to 1 (got 0)"),
        (
            "world --steps many",
            "--steps: Input should be a valid integer, unable to parse string as an integer (got many)",
        ),
        ("world --steps", "requires an argument"),
        ("world --kind medium", "--kind: Input should be 'small' or 'large' (got medium)"),
        ("world a b", "too many words: b"),
        ("world --config no.yaml", "no.yaml: cannot be read (No such file or directory)"),
        ("world --preset tniy", '--preset tniy: not one of tiny. Did you mean "tiny"?'),
        ("world --end bad", "a: is empty; give more"),
        ("world --end full", "a.bin: No space left on device"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(toy, words, line):
    done = toy(*words.split())
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("linnet: ")
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("end", "code", "line"),
    [
        ("failed", 1, "linnet: the loss is not a number (run again with --debug for the traceback)\n"),
        ("crash", 1, "linnet: ZeroDivisionError: by zero (run again with --debug for the traceback)\n"),
        ("odd", 1, "linnet: OSError: [Errno 5] Input/output error (run again with --debug for the traceback)\n"),
        ("ctrl-c", 130, "linnet: interrupted\n"),
        ("stopped", 143, "linnet: saved at step 3\n"),
    ],
)
def test_other_ends_have_their_codes(toy, end, code, line):
    done = toy("world", "--end", end)
    assert (done.returncode, done.stderr) == (code, line)


def test_debug_shows_the_traceback(toy):
    done = toy("world", "--end", "crash", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "toy_recipe.py" in done.stderr


def test_a_real_ctrl_c_is_130(environment, tmp_path):
    fifo = tmp_path / "fifo.yaml"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "toy_linnet", "world", "--config", str(fifo)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    writer = os.open(fifo, os.O_WRONLY)  # it now waits for words that never come
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        # Again if it came in the moment before the read began to wait.
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
    assert process.poll() == 130
    os.close(writer)
    assert process.stderr is not None
    assert process.stderr.read() == "linnet: interrupted\n"


def test_a_reader_that_leaves_is_no_error_message(environment):
    command = f"{sys.executable} -u -m toy_linnet world | true"
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True)
    assert done.stderr == ""


def test_numbers_are_shown_one_a_line(capsys):
    cli.show({"loss": 1.23456789, "tokens": 1000}, as_json=False)
    assert capsys.readouterr().out == "loss    1.23457\ntokens  1000\n"
    cli.show(None, as_json=True)
    assert capsys.readouterr().out == ""


def test_verdicts():
    assert cli.verdict(BadInput("x")) == (2, "x")
    assert cli.verdict(Failed("x"))[0] == 1
    assert cli.verdict(Stopped("x", 130)) == (130, "x")
    assert cli.verdict(PermissionError(errno.EACCES, "Permission denied", "a")) == (2, "a: Permission denied")


def test_a_recipe_that_is_not_there_yet_is_said(monkeypatch, capsys):
    monkeypatch.setitem(cli.COMMANDS, "fly", "Fly.")
    assert cli.main(["fly"]) == 2
    assert capsys.readouterr().err == f"linnet: fly: not part of linnet {__version__}\n"
    assert cli.main(["--help"]) == 0
