"""A study with images of all kinds: each accounted for once; retry brings back what was mended, it alone."""

import csv
import json
import os

import pytest
from workflow_tools import (
    SHORT,
    assert_settled,
    changed,
    make_config,
    make_pixels,
    results_of,
    run_study,
    times,
    write_config,
    write_image,
    write_sheet,
)

from scopemill.commands import retry, verify
from scopemill.decisions import FILE, Decision, record

STANDING = {
    "good": ("ok", ""),
    "blurred": ("skipped", "EXCLUDED"),
    "disliked": ("skipped", "REJECTED"),
    "absent": ("quarantined", "MISSING"),
    "damaged": ("quarantined", "FORMAT"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Run to its end: of five images one is good, each other one has a fate of its own."""
    folder = tmp_path_factory.mktemp("mixed")
    for seed, name in enumerate(("good", "blurred", "disliked", "damaged")):
        write_image(folder / "raw" / f"{name}.tif", make_pixels(seed))
    path = folder / "raw" / "damaged.tif"
    (folder / "whole.tif").write_bytes(path.read_bytes())
    path.write_bytes(bytes(path.stat().st_size))
    os.utime(path, ns=(10**18, 10**18))
    rows = [[name, f"raw/{name}.tif", "out of focus" if name == "blurred" else ""] for name in STANDING]  # fmt: skip
    write_sheet(folder, rows, "id path exclude")
    write_config(folder, make_config(SHORT, {"images_per_batch": 5, "max_quarantined": 0.5}))
    (folder / "results" / "tiny").mkdir(parents=True)
    verdict = Decision("disliked", "", 0, 0, 0.0, 0.0, 0.0, "reject", "", "me", "2026-11-21T00:00:00Z")  # fmt: skip
    record(folder / "results" / "tiny" / FILE, verdict)
    run_study(folder)
    return folder


def standing(folder):
    with (results_of(folder) / "images.csv").open(newline="") as file:
        rows = [(row["image"], (row["status"], row["code"])) for row in csv.DictReader(file)]
    assert len(rows) == len(dict(rows))
    return dict(rows)


def counts(folder):
    return json.loads((results_of(folder) / "accounting.json").read_text())


def test_each_image_is_accounted_for_once(folder):
    assert standing(folder) == STANDING
    assert counts(folder) == {
        "images": 5, "ok": 1, "quarantined": 2, "skipped": 2,
        "causes": {"EXCLUDED": 1, "REJECTED": 1, "MISSING": 1, "FORMAT": 1},
    }  # fmt: skip


def test_a_mended_file_that_looks_the_same_comes_back_when_asked_for(folder, monkeypatch):
    monkeypatch.chdir(folder)
    path = folder / "raw" / "damaged.tif"
    path.write_bytes((folder / "whole.tif").read_bytes())
    os.utime(path, ns=(10**18, 10**18))
    assert_settled(folder)  # its size and time are what they were
    before = times(folder)
    assert retry.main([".", "--code", "FORMAT"]) == 0
    assert verify.main(["."]) == 1  # not tried again yet
    run_study(folder)
    assert standing(folder) == STANDING | {"damaged": ("ok", "")}
    assert counts(folder)["ok"] == 2 and counts(folder)["quarantined"] == 1
    made = changed(before, times(folder))
    assert made and all("/damaged." in f"/{name}" for name in made)
    assert_settled(folder)
    assert verify.main(["."]) == 0
