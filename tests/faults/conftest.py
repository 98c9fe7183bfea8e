"""For the fault suite: valid samples of every format, and the child that reads."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from reading import Reading
from samples import real_samples, write_samples

sys.path.append(str(Path(__file__).parents[1] / "workflow"))  # workflow_tools


@pytest.fixture(scope="session")
def samples(tmp_path_factory) -> Mapping[Path, str | None]:
    """File -> scene: those that are written here and, where the shared data are, real ones."""
    return write_samples(tmp_path_factory.mktemp("samples")) | real_samples()


@pytest.fixture(scope="session")
def reading() -> Iterator[Reading]:
    """Reads files in a process with limits."""
    with Reading() as child:
        yield child
