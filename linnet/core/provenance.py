"""Where a run comes from: version and commit of the code, versions of the libraries, hashes of what it read."""

import hashlib
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import linnet
from linnet.core.errors import BadInput
from linnet.core.files import file_hash

PACKAGES = ("torch", "numpy", "tokenizers", "safetensors", "pydantic")
ARTIFACTS = ("*.json", "*.safetensors", "*.jinja", "*.bin", "*.npy")


def code_version() -> dict[str, Any]:
    """Return linnet's version and, in a git checkout, the commit and whether tracked files were changed since."""
    checkout = Path(linnet.__file__).resolve().parent.parent
    found: dict[str, Any] = {"linnet": linnet.__version__, "commit": None, "changed": None}
    if (checkout / ".git").exists():
        found["commit"] = _git(checkout, "rev-parse", "HEAD")
        status = _git(checkout, "status", "--porcelain", "--untracked-files=no")
        found["changed"] = None if status is None else bool(status)
    return found


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide numbers, without importing them."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def artifact_hashes(folder: Path) -> dict[str, str]:
    """Return SHA-256 by name of the files in a folder that are a model or a result (not logs, not sub-folders)."""
    names = {path.name for pattern in ARTIFACTS for path in folder.glob(pattern)}
    return {name: file_hash(folder / name) for name in sorted(names)}


def folder_hash(folder: str | Path) -> str:
    """Return one SHA-256 that stands for a run folder or a folder of weights: over its artifacts' names and hashes.

    A finished run's result.json holds the hashes of its files, so that file alone stands for the whole run.
    Raises BadInput when there is nothing of a model or a run in the folder.
    """
    folder = Path(folder)
    if (folder / "result.json").is_file():
        return file_hash(folder / "result.json")
    hashes = artifact_hashes(folder)
    if not hashes:
        raise BadInput(f"{folder}: no run and no model is here")
    lines = "".join(f"{digest}  {name}\n" for name, digest in hashes.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def _git(checkout: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(checkout), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
