"""A run folder and the sections of a page over it, for the tests of this folder."""

from pathlib import Path

import pytest

from linnet.report.page import Section
from tests.report.material import make_run, quick_start_sections


@pytest.fixture
def run(tmp_path) -> Path:
    """Return a finished run folder."""
    return make_run(tmp_path / "pretrain")


@pytest.fixture
def sections(run) -> list[Section]:
    """Return the sections of a quick start's page, to be written into the run's parent folder."""
    return quick_start_sections(run.parent)
