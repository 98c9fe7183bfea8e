"""Examples on real data: the commands in their headers give a study that `scopemill check` accepts."""

import csv
from pathlib import Path

import pytest

from scopemill.__main__ import main

CHECKOUT = Path(__file__).resolve().parents[2]
DATA = CHECKOUT.parent / "shared" / "data"
pytestmark = pytest.mark.data

# config, folder, how names are read, images
EXAMPLES = [
    ("sbs-translocation", "sbs_translocation", ["--pattern", r"Channel(?P<channel>\d)-\d+-(?P<Row>[A-H])-(?P<Column>\d+).tif"], 12),
    ("cellprofiler-human", "cellprofiler_examples/ExampleHuman", ["--convention", "cellomics"], 1),
    ("cellprofiler-fly", "cellprofiler_examples/ExampleFly", ["--pattern", r"01_POS(?P<position>\d+)_(?P<channel>[DFR])\.TIF"], 2),
    ("cellprofiler-speckles", "cellprofiler_examples/ExampleSpeckles", ["--pattern", r"1-162hr(?P<channel>hoe|h2ax)2\.tif"], 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "folder", "names", "n_images"), EXAMPLES)
def test_an_example_is_accepted(require_or_skip, tmp_path, name, folder, names, n_images):
    require_or_skip((DATA / folder).is_dir(), "the shared data folder is not beside the checkout")
    study, recipe = tmp_path / "study", CHECKOUT / "config" / "examples" / f"{name}.yaml"
    assert all(part in recipe.read_text() for part in names)  # as its header says
    if (table := DATA / folder / "wells.csv").exists():
        names = [*names, "--metadata", str(table)]
    code = main(["init", str(study), "--images", str(DATA / folder), "--recipe", str(recipe), *names])  # fmt: skip
    assert code == 0 and main(["check", str(study)]) == 0
    with (study / "images.tsv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file, delimiter="\t"))) == n_images
