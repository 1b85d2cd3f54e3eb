"""Code version from the checkout and only from it; hashes that change with any artifact and with nothing else."""

import subprocess

import pytest

import linnet
from linnet.core import provenance
from linnet.core.errors import BadInput


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_commit_and_changes_of_a_checkout(tmp_path, monkeypatch):
    package = tmp_path / "linnet"
    package.mkdir()
    (package / "__init__.py").write_text("a = 1\n")
    monkeypatch.setattr(linnet, "__file__", str(package / "__init__.py"))
    assert provenance.code_version() == {"linnet": linnet.__version__, "commit": None, "changed": None}
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "x")
    clean = provenance.code_version()
    assert len(clean["commit"]) == 40
    assert clean["changed"] is False
    (package / "__init__.py").write_text("a = 2\n")
    assert provenance.code_version() == {**clean, "changed": True}


def test_versions_are_those_imported():
    import numpy
    import torch

    versions = provenance.library_versions()
    assert versions["numpy"] == numpy.__version__
    assert versions["torch"] == torch.__version__


def test_folder_hash_stands_for_every_artifact_and_not_for_logs(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "model.json").write_text("{}")
    first = provenance.folder_hash(tmp_path)
    (tmp_path / "metrics.jsonl").write_text("{}\n")
    (tmp_path / "state").mkdir()
    assert provenance.folder_hash(tmp_path) == first
    (tmp_path / "model.safetensors").write_bytes(b"weightt")
    assert provenance.folder_hash(tmp_path) != first
    (tmp_path / "result.json").write_text("{}")
    assert provenance.folder_hash(tmp_path) == provenance.file_hash(tmp_path / "result.json")


def test_an_empty_folder_has_no_hash(tmp_path):
    with pytest.raises(BadInput, match="no run and no model"):
        provenance.folder_hash(tmp_path)
