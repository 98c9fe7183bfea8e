"""A finished study: run once a worker, kept, and laid out again at the same place for each test that harms it."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from workflow_tools import run_study, write_study


class Finished(NamedTuple):
    """A study that has run to its end; only read it."""

    folder: Path
    results: Path
    printed: str
    home: Path  # where it ran: snakemake knows the sheet by its absolute path


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Finished:
    root = tmp_path_factory.mktemp("finished")
    home = root / "study"
    write_study(home)
    printed = run_study(home)
    folder = root / "kept"
    home.rename(folder)
    return Finished(folder, folder / "results" / "tiny", printed, home)


@pytest.fixture
def study(finished) -> Path:
    """The finished study as it was when it ended, free to be harmed."""
    shutil.rmtree(finished.home, ignore_errors=True)
    shutil.copytree(finished.folder, finished.home)
    return finished.home
