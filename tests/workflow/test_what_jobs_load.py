"""What the jobs of a study load: no stage without a network loads torch, and only what draws a library for that."""

import pytest
from workflow_tools import environment, run_study, write_study

HEAVY = ("torch", "scipy", "skimage", "tifffile", "matplotlib", "numba", "pyarrow")
SPY = f"""
import atexit, os, sys

def tell():
    loaded = sorted(set(sys.modules) & set({HEAVY!r}))
    words = [os.path.basename(sys.argv[0]), *sys.argv[1:2]]
    with open(os.environ["SPY_FILE"], "a") as file:
        file.write(" ".join([*words, "loads", *loaded]) + "\\n")

atexit.register(tell)
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Stage -> the large libraries that its jobs had loaded at their end."""
    folder = tmp_path_factory.mktemp("loads")
    (folder / "spy").mkdir()
    (folder / "spy" / "sitecustomize.py").write_text(SPY)
    study = write_study(folder / "study", {"patch": {"nuclei": {}}}, n=1)
    said = folder / "said.txt"
    run_study(study, env=environment(folder / "spy", SPY_FILE=str(said)))
    found: dict[str, set[str]] = {}
    for line in said.read_text().splitlines():
        words, _, libraries = line.partition(" loads")
        found.setdefault(words.split()[-1], set()).update(libraries.split())
    return found


def test_no_stage_without_a_network_loads_torch(loaded):
    stages = {"convert", "patch", "segment", "detect", "quantify", "classify", "qc", "gather", "report", "account"}  # fmt: skip
    assert stages <= set(loaded)
    assert {stage for stage, libraries in loaded.items() if "torch" in libraries} == set()
    assert "scipy" in loaded["segment"]  # else nobody would look


def test_only_what_draws_loads_the_library_that_draws(loaded):
    assert {stage for stage, libraries in loaded.items() if "matplotlib" in libraries} <= {"qc", "report", "gather"}  # fmt: skip


def test_the_stage_that_counts_loads_no_image_library(loaded):
    assert not loaded["account"] & {"skimage", "tifffile", "matplotlib", "numba"}
