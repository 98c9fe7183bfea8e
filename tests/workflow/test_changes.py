"""What is changed or new is made, with what depends on it; everything else is kept, to the nanosecond."""

import os
import shutil
from pathlib import Path

import pytest
from workflow_tools import (
    CHECKOUT,
    assert_settled,
    changed,
    environment,
    make_config,
    make_pixels,
    results_of,
    run_study,
    table_bytes,
    times,
    write_config,
    write_image,
)

RAW = "raw/i0.ome.tif"


def kinds(paths: set[str]) -> set[str]:
    """Folders in which artifacts changed."""
    return {path.split("/")[0] for path in paths}


def test_another_gate_classifies_anew_and_segments_nothing(study):
    before = times(study)
    rules = {"rules": {"big": "area_um2 > 1"}}
    write_config(study, make_config({"classify": {"size": {"method": rules}}}))
    run_study(study)
    assert kinds(changed(before, times(study))) == {"classified", "qc"}
    assert "n_nuclei_unassigned" not in (results_of(study) / "images.csv").read_text()
    assert_settled(study)


def test_another_segmentation_converts_nothing(study):
    before = times(study)
    write_config(study, make_config({"segment": {"nuclei": {"min_size_um": 2}}}))
    run_study(study)
    changes = changed(before, times(study))
    assert kinds(changes) == {"labels", "objects", "features", "classified", "qc"}
    assert_settled(study)


def test_another_limit_of_quarantine_makes_nothing(study):
    before = times(study)
    write_config(study, make_config({"max_quarantined": 0.5}))
    run_study(study)
    assert not changed(before, times(study))
    assert_settled(study)


def test_changed_code_of_a_stage_remakes_what_that_stage_makes(study, tmp_path):
    package = tmp_path / "scopemill"
    shutil.copytree(
        CHECKOUT / "src/scopemill", package, ignore=shutil.ignore_patterns("__pycache__")
    )
    env = environment(tmp_path)
    before = times(study)
    assert_settled(study, env)  # a copy of the same code is the same code
    with (package / "quantify" / "stage.py").open("a") as file:
        file.write("\nEDITED = True\n")
    run_study(study, env=env)
    changes = changed(before, times(study))
    assert kinds(changes) == {"features", "classified", "qc"}
    assert len([name for name in changes if name.startswith("features/")]) == 3
    assert_settled(study, env)


def test_a_new_row_is_work_for_the_new_image_only(study):
    before = times(study)
    write_image(study / "raw" / "new.ome.tif", make_pixels(7))
    with (study / "images.tsv").open("a") as file:
        file.write("new\traw/new.ome.tif\ttreated\t7\t\t6\n")
    run_study(study)
    changes = changed(before, times(study))
    assert changes and all(Path(name).name.split(".")[0] == "new" for name in changes)
    assert (results_of(study) / "images.csv").read_text().count("\n") == 5
    assert_settled(study)


def replace_pixels(path: Path) -> None:
    """Another image of the same size in bytes or not."""
    write_image(path, make_pixels(11))


def set_time_back(path: Path) -> None:
    """As `cp -p` and `rsync -t` do: an older time must count as a change too."""
    os.utime(path, ns=(10**18, 10**18))


@pytest.mark.parametrize(
    "change", [replace_pixels, pytest.param(set_time_back, marks=pytest.mark.slow)]
)
def test_a_replaced_raw_file_is_work_for_its_image_only(study, change):
    before, tables = times(study), table_bytes(study)
    change(study / RAW)
    run_study(study)
    changes = changed(before, times(study))
    assert changes == {name for name in before if Path(name).name.split(".")[0] == "i0"}
    assert (table_bytes(study) == tables) == (change is set_time_back)
    assert_settled(study)


@pytest.mark.slow
def test_moving_a_study_keeps_its_artifacts(study, tmp_path):
    moved = tmp_path / "elsewhere"
    study.rename(moved)
    before, tables = times(moved), table_bytes(moved)
    run_study(moved)
    assert not changed(before, times(moved)) and table_bytes(moved) == tables
