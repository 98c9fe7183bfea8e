"""Images that cannot be used: each is set aside with its code, the others are finished, the limit decides."""

import csv
import shutil
from pathlib import Path
from subprocess import CompletedProcess
from typing import NamedTuple

import numpy as np
import pytest
from workflow_tools import (
    SHORT,
    assert_settled,
    changed,
    make_config,
    make_pixels,
    results_of,
    run_study,
    said,
    snakemake,
    times,
    write_config,
    write_image,
    write_sheet,
)

GOOD = ("good0", "good1")
CODES = {
    "absent": "MISSING",
    "zero": "EMPTY",
    "cut": "TRUNCATED",
    "text": "FORMAT",
    "one-channel": "CHANNELS",
    "black": "FLAT",
    "not-finite": "NONFINITE",
    "far": "PIXEL_SIZE",
}
LOSSES = (SHORT, {"images_per_batch": 4})


class Runs(NamedTuple):
    folder: Path
    at_default: CompletedProcess  # 8 of 10 lost, the limit is 5 %
    tables_at_default: set[str]
    at_one: CompletedProcess  # all may be lost


def write_bad_images(raw: Path) -> None:
    """One of each fault, and two good ones."""
    for seed, name in enumerate([*GOOD, "cut"]):
        write_image(raw / f"{name}.tif", make_pixels(seed))
    whole = (raw / "cut.tif").read_bytes()
    (raw / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (raw / "zero.tif").touch()
    (raw / "text.tif").write_text("These are my measurements.\n" * 50)
    write_image(raw / "one-channel.tif", make_pixels(3)[0], axes="YX")
    write_image(raw / "black.tif", np.zeros((2, 96, 96), np.uint16))
    nan = make_pixels(4).astype(np.float32)
    nan[1, 5, 5] = np.nan
    write_image(raw / "not-finite.tif", nan)
    write_image(raw / "far.tif", make_pixels(5), PhysicalSizeX=84.7, PhysicalSizeY=84.7)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Runs:
    folder = tmp_path_factory.mktemp("bad")
    write_bad_images(folder / "raw")
    write_sheet(folder, [[name, f"raw/{name}.tif"] for name in (*GOOD, *CODES)])
    write_config(folder, make_config(*LOSSES))
    at_default = snakemake(folder, "--quiet", "rules")
    there = {path.name for path in results_of(folder).iterdir()}
    write_config(folder, make_config(*LOSSES, {"max_quarantined": 1.0}))
    return Runs(folder, at_default, there, snakemake(folder, "--quiet", "all"))


def read_quarantine(folder: Path) -> dict[str, dict[str, str]]:
    with (results_of(folder) / "quarantine.tsv").open(newline="") as file:
        return {row["image"]: row for row in csv.DictReader(file, delimiter="\t")}


def test_the_others_finish_and_the_run_ends_well(runs):
    assert runs.at_one.returncode == 0, said(runs.at_one)
    assert "8 quarantined" in runs.at_one.stdout and "2 ok" in runs.at_one.stdout
    objects = (results_of(runs.folder) / "objects.csv").read_text().splitlines()[1:]
    assert {line.split(",")[0] for line in objects} == set(GOOD)


def test_every_image_is_in_images_csv(runs):
    with (results_of(runs.folder) / "images.csv").open(newline="") as file:
        assert {row["image"]: row["code"] for row in csv.DictReader(file)} == {
            **dict.fromkeys(GOOD, ""),
            **CODES,
        }


@pytest.mark.parametrize(("image", "code"), CODES.items())
def test_quarantine_names_the_fault_and_the_file(runs, image, code):
    row = read_quarantine(runs.folder)[image]
    assert (row["status"], row["code"]) == ("quarantined", code)
    assert f"{image}.tif" in row["message"] and row["path"].endswith(f"raw/{image}.tif")


def test_the_report_names_them(runs):
    page = (results_of(runs.folder) / "report.html").read_text()
    assert all(f"<td>{image}</td>" in page and code in page for image, code in CODES.items())


def test_over_the_limit_the_run_fails_in_words(runs):
    output = said(runs.at_default)
    assert runs.at_default.returncode != 0
    assert "8 of 10 images are quarantined (80%; the limit is 5%)" in output
    assert all(f"'{code}': 1" in output for code in CODES.values())
    assert "quarantine.tsv" in output and "Traceback" not in output


def test_over_the_limit_tables_and_report_are_there_all_the_same(runs):
    names = {"objects.csv", "images.csv", "summary.csv", "quarantine.tsv", "report.html", "qc"}
    assert names <= runs.tables_at_default
    assert "accounting.json" not in runs.tables_at_default


def test_no_artifact_of_a_bad_image_is_left(runs):
    assert {Path(name).name.split(".")[0] for name in times(runs.folder)} == set(GOOD)


def test_a_mended_file_is_taken_up_and_the_good_ones_are_kept(runs):
    folder = runs.folder
    before = times(folder)
    shutil.copy(folder / "raw" / "good1.tif", folder / "raw" / "zero.tif")
    printed = run_study(folder)
    assert "3 ok" in printed and "7 quarantined" in printed
    assert set(read_quarantine(folder)) == set(CODES) - {"zero"}
    assert {Path(name).name.split(".")[0] for name in changed(before, times(folder))} == {"zero"}
    assert_settled(folder)
