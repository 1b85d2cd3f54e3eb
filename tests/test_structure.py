"""The house keeps its shape: floors, rooms, sizes, names, help texts, a test beside every module, a true README tree.

`python tests/test_structure.py` writes the tree anew into the README.
"""

import ast
import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A room imports only from rooms on lower floors. `linnet` itself (the version) stands below all.
FLOORS = {
    "by_hand": 0,
    "core": 1, "metrics": 1,
    "data": 2, "text": 2, "model": 2,
    "batches": 3, "tasks": 3, "adapt": 3,
    "train": 4, "infer": 4, "artifacts": 4, "retrieve": 4,
    "evals": 5, "explain": 5, "export": 5, "report": 5, "serve": 5, "prove": 5,
    "recipes": 6,
    "presets": 7,
    "pipeline": 8,
    "cli": 9,
    "__main__": 10,
}  # fmt: skip
MAX_LINES, MAX_RECIPE_LINES = 400, 149
EMPTY_NAMES = {"utils", "util", "helpers", "common", "misc"}
UNSAFE_MODULES = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
TREE = re.compile(r"(<!-- tree -->\n```text\n)(.*?)(```\n<!-- /tree -->)", re.DOTALL)


@cache
def parsed(text: str) -> ast.Module:
    """Return the tree of a source; each is read once for all tests."""
    return ast.parse(text)


@cache
def nodes(text: str) -> list[ast.AST]:
    """Return every node of a source."""
    return list(ast.walk(parsed(text)))


def sources(root: Path) -> list[Path]:
    return sorted((root / "linnet").rglob("*.py"))


def room(path: Path, root: Path) -> str:
    return path.relative_to(root / "linnet").with_suffix("").parts[0]


def imported(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of every import of the file, also those inside functions and relative ones."""
    package = path.relative_to(root).with_suffix("").parts[:-1]
    for node in nodes(path.read_text()):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            yield from ((node.lineno, f"{module}.{name.name}") for name in node.names)


def wrong_imports(root: Path) -> list[str]:
    found = []
    for path in sources(root):
        here = room(path, root)
        for line, name in imported(path, root):
            there = imported_room(name)
            if there is None or there == here:
                continue
            if here == "__init__":
                wrong = "the package imports a room"
            elif there == "by_hand" and here != "recipes":
                wrong = "only its recipe imports by_hand"
            elif FLOORS.get(there, 99) >= FLOORS.get(here, 99):
                wrong = f"{here} imports {there}: not downward"
            else:
                continue
            found.append(f"{path.relative_to(root)}:{line} {wrong}")
    return found


def imported_room(name: str) -> str | None:
    """Return the room of a dotted name, None for other packages and for the version and docstring of linnet."""
    package, *inside = name.split(".")
    return inside[0] if package == "linnet" and inside and not inside[0].startswith("__") else None


def unknown_rooms(root: Path) -> list[str]:
    return sorted({room(path, root) for path in sources(root)} - FLOORS.keys() - {"__init__"})


def too_long(root: Path) -> list[str]:
    found = []
    for path in sources(root):
        limit = MAX_RECIPE_LINES if room(path, root) == "recipes" else MAX_LINES
        lines = len(path.read_text().splitlines())
        if lines > limit:
            found.append(f"{path.relative_to(root)}: {lines} lines, at most {limit}")
    return found


def bad_names(root: Path) -> list[str]:
    names = {path: path.stem for path in sources(root) if path.stem not in ("__init__", "__main__")}
    return [
        str(path.relative_to(root)) for path, name in names.items() if name in EMPTY_NAMES | sys.stdlib_module_names
    ]


def without_test(root: Path) -> list[str]:
    found = []
    for path in sources(root):
        if path.stem in ("__init__", "__main__"):
            continue
        inside = path.relative_to(root / "linnet")
        if not (root / "tests" / inside.parent / f"test_{path.name}").is_file():
            found.append(str(path.relative_to(root)))
    return found


def unsafe(root: Path) -> list[str]:
    found = []
    for path in sources(root):
        where = path.relative_to(root)
        found += [
            f"{where}:{line} {name}" for line, name in imported(path, root) if name.split(".")[0] in UNSAFE_MODULES
        ]
        for node in nodes(path.read_text()):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else ""
            pickled = any(word.arg == "allow_pickle" and ast.unparse(word.value) != "False" for word in node.keywords)
            if called in ("eval", "exec", "torch.load") or pickled:
                found.append(f"{where}:{node.lineno} {called}")
    return found


def without_docstring(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in sources(root) if not ast.get_docstring(parsed(path.read_text()))]


def without_help(configs: list[type]) -> list[str]:
    return [
        f"{config.__module__}.{config.__name__}.{name}"
        for config in configs
        for name, field in config.model_fields.items()
        if not (field.description or "").strip()
    ]


def all_configs() -> list[type]:
    import linnet
    from linnet.core.config import Config

    for module in pkgutil.walk_packages(linnet.__path__, "linnet."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: list[type] = []
    waiting = [Config]
    while waiting:
        below = [cls for cls in waiting.pop().__subclasses__() if cls.__module__.startswith("linnet.")]
        found += below
        waiting += below
    return found


def tree(root: Path) -> str:
    """Return the README's tree: a line a file with the first line of its docstring."""
    rows: list[tuple[str, str]] = []

    def walk(folder: Path, depth: int) -> None:
        init = folder / "__init__.py"
        rows.append(("  " * depth + folder.name + "/", first_line(init) if init.is_file() else ""))
        inside = [path for path in folder.iterdir() if path.suffix == ".py" and path.name != "__init__.py"]
        inside += [path for path in folder.iterdir() if path.is_dir() and any(path.rglob("*.py"))]
        for path in sorted(inside, key=lambda path: (path.is_dir(), path.name)):
            walk(path, depth + 1) if path.is_dir() else rows.append(("  " * (depth + 1) + path.name, first_line(path)))

    for name in ("linnet", "bench"):
        if (root / name).is_dir():
            walk(root / name, 0)
    width = max(len(name) for name, _ in rows) + 2
    return "".join(f"{name:{width}}{line}".rstrip() + "\n" for name, line in rows)


def first_line(path: Path) -> str:
    return (ast.get_docstring(parsed(path.read_text())) or "").split("\n")[0]


def readme_tree(root: Path) -> str:
    found = TREE.search((root / "README.md").read_text())
    assert found, "README.md has no <!-- tree --> block"
    return found.group(2)


CHECKS = [wrong_imports, unknown_rooms, too_long, bad_names, without_test, unsafe, without_docstring]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_house(check):
    assert check(ROOT) == []


def test_every_field_of_every_config_has_a_help_text():
    configs = all_configs()
    assert len(configs) > 3
    assert without_help(configs) == []


def test_the_tree_in_the_readme_is_the_real_one():
    assert readme_tree(ROOT) == tree(ROOT), "write it anew: make tree"


PLANTED = [
    (wrong_imports, "linnet/core/a.py", "from linnet.data import sources\n", "core imports data: not downward"),
    (wrong_imports, "linnet/core/a.py", "def f():\n    import linnet.model.decoder\n", "a.py:2 core imports model"),
    (wrong_imports, "linnet/core/a.py", "from linnet import cli\n", "core imports cli"),
    (wrong_imports, "linnet/core/a.py", "from ..text import tokenizer\n", "core imports text"),
    (wrong_imports, "linnet/data/world/a.py", "from ...text import tokenizer\n", "data imports text"),
    (wrong_imports, "linnet/metrics.py", "from linnet.core import files\n", "metrics imports core"),
    (wrong_imports, "linnet/train/a.py", "from linnet.artifacts import load_model\n", "train imports artifacts"),
    (wrong_imports, "linnet/model/a.py", "from linnet.by_hand import norm\n", "only its recipe"),
    (wrong_imports, "linnet/__init__.py", "import linnet.core.config\n", "the package imports a room"),
    (unknown_rooms, "linnet/attic/a.py", "", "attic"),
    (unknown_rooms, "linnet/attic.py", "", "attic"),
    (too_long, "linnet/core/a.py", "\n" * 401, "401 lines, at most 400"),
    (too_long, "linnet/recipes/a.py", "\n" * 150, "150 lines, at most 149"),
    (bad_names, "linnet/core/utils.py", "", "utils.py"),
    (bad_names, "linnet/core/json.py", "", "json.py"),
    (without_test, "linnet/core/a.py", "", "core/a.py"),
    (without_test, "linnet/data/world/a.py", "", "data/world/a.py"),
    (unsafe, "linnet/core/a.py", "import pickle\n", "pickle"),
    (unsafe, "linnet/core/a.py", "from pickle import loads\n", "pickle.loads"),
    (unsafe, "linnet/core/a.py", "x = eval('1')\n", "a.py:1 eval"),
    (unsafe, "linnet/core/a.py", "import torch\nx = torch.load('a')\n", "a.py:2 torch.load"),
    (unsafe, "linnet/core/a.py", "import numpy\nx = numpy.load('a', allow_pickle=True)\n", "numpy.load"),
    (without_docstring, "linnet/core/a.py", "x = 1\n", "core/a.py"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "name", "text", "words"), PLANTED)
def test_each_check_bites(check, name, text, words, tmp_path):
    for sound in ("linnet/core/sound.py", "linnet/cli.py", "tests/core/test_sound.py", "tests/test_cli.py"):
        (tmp_path / sound).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / sound).write_text('"""Sound."""\n\nfrom linnet.core import errors\n\nmodel.eval()\n')
    (tmp_path / "linnet/__init__.py").write_text('"""A package."""\n')
    assert check(tmp_path) == []
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
    found = check(tmp_path)
    assert len(found) == 1
    assert words in found[0]


def test_a_field_without_help_is_found():
    from linnet.core.config import Config

    class Silent(Config):
        said: int = 1
        """Said."""
        steps: int = 1

    assert without_help([Silent]) == [f"{__name__}.Silent.steps"]


def test_the_tree_has_a_line_a_file_and_a_stale_one_is_found(tmp_path):
    for name, text in (("__init__", "House."), ("b", "Second.\n\nMore."), ("a", "First."), ("core/__init__", "Room.")):
        path = tmp_path / "linnet" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'"""{text}"""\n')
    lines = ["linnet/  House.", "  a.py   First.", "  b.py   Second.", "  core/  Room."]
    assert tree(tmp_path).splitlines() == lines
    (tmp_path / "README.md").write_text("<!-- tree -->\n```text\nold\n```\n<!-- /tree -->\n")
    assert readme_tree(tmp_path) != tree(tmp_path)
    write_tree(tmp_path)
    assert readme_tree(tmp_path) == tree(tmp_path)


def write_tree(root: Path) -> None:
    readme = root / "README.md"
    readme.write_text(TREE.sub(lambda found: found.group(1) + tree(root) + found.group(3), readme.read_text()))


if __name__ == "__main__":
    write_tree(ROOT)
