"""Annotate: a study's annotation files -> one table an image; absent ones skipped, wrong ones set aside, edited ones read again."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from scopemill.__main__ import main
from scopemill.annotate import stage
from scopemill.annotations.source import check_source, find_source, source_state
from scopemill.annotations.table import box_row, make_table, to_labels
from scopemill.config import read_config
from scopemill.errors import DataError, Skip
from scopemill.manifests import read_manifest
from scopemill.provenance import PACKAGE, imported_files
from scopemill.settings import ConfigError, load_stage
from scopemill.sheet import Row
from scopemill.study import load_study
from scopemill.tables import read_statement, read_table

LABELS = np.array([[0, 1, 1, 0], [2, 0, 0, 0], [2, 0, 0, 7]], np.uint16)
CONFIG = """
study: s
channels: {DNA: 0}
pixel_size_um: 0.5
annotate: {cells: {source: "%s"}}
"""


def row(**metadata):
    return Row("a", "raw/a 1.tif", 2, metadata=metadata)


@pytest.fixture
def study(tmp_path):
    """Three images; a and b have label images, that of b is of another size."""
    rng = np.random.default_rng(0)
    for name in "abc":
        tifffile.imwrite(tmp_path / f"{name}.tif", rng.integers(0, 99, LABELS.shape, np.uint16))
    (tmp_path / "masks").mkdir()
    tifffile.imwrite(tmp_path / "masks" / "a.tif", LABELS)
    tifffile.imwrite(tmp_path / "masks" / "b.tif", LABELS[:2])
    (tmp_path / "images.tsv").write_text("id\tpath\na\ta.tif\nb\tb.tif\nc\tc.tif\n")
    (tmp_path / "config.yaml").write_text(CONFIG % "masks/{image}.tif")
    return tmp_path


def run(study, settings):
    """Convert and annotate all images; the records."""
    manifests = study / "results" / "s" / "manifests"
    sheet = ["--sheet", str(study / "images.tsv")]
    convert, annotate = manifests / "convert" / "b0000.jsonl", manifests / "annotate.cells" / "b0000.jsonl"  # fmt: skip
    plain = json.dumps({"channels": {"DNA": {"source": 0}}, "pixel_size_um": 0.5})
    assert main(["convert", *sheet, "--out", str(convert), "--settings", plain]) == 0
    call = ["annotate", "--task", "cells", *sheet, "--in", str(convert), "--out", str(annotate)]
    assert main([*call, "--settings", json.dumps(settings)]) == 0
    return read_manifest(annotate)


SOURCE = {"source": "masks/{image}.tif"}


def test_an_annotated_image_has_a_table_and_one_that_is_not_is_skipped(study):
    records = run(study, SOURCE)
    assert [record.status for record in records.values()] == ["ok", "quarantined", "skipped"]
    assert records["a"].facts == {"n_objects": 3, "classes": {"": 3}}
    assert records["b"].code == "ANNOTATION_FIT" and "4 x 2" in records["b"].message
    assert records["c"].code == "NO_ANNOTATION"
    table = read_table(study / "results" / "s" / records["a"].artifact)
    assert table["image"].tolist() == ["a"] * 3
    assert (to_labels(table, LABELS.shape) == LABELS).all()


def test_an_edited_file_is_read_again_and_others_are_kept(study):
    first = run(study, SOURCE)
    assert run(study, SOURCE)["a"] == first["a"]
    tifffile.imwrite(study / "masks" / "c.tif", LABELS)
    tifffile.imwrite(study / "masks" / "b.tif", LABELS)
    after = run(study, SOURCE)
    assert after["a"] == first["a"]
    assert [record.status for record in after.values()] == ["ok"] * 3
    tifffile.imwrite(study / "masks" / "a.tif", np.where(LABELS == 7, 0, LABELS))
    os.utime(study / "masks" / "a.tif", ns=(1, 1))
    edited = run(study, SOURCE)
    assert edited["a"].fingerprint != first["a"].fingerprint
    assert edited["a"].facts["n_objects"] == 2 and edited["b"] == after["b"]


def test_a_file_that_is_taken_away_takes_its_table_along(study):
    artifact = study / "results" / "s" / run(study, SOURCE)["a"].artifact
    (study / "masks" / "a.tif").unlink()
    assert run(study, SOURCE)["a"].status == "skipped" and not artifact.exists()


def test_moving_a_study_makes_nothing_new(study):
    first = run(study, SOURCE)
    moved = study.with_name("moved")
    study.rename(moved)
    assert run(moved, SOURCE)["a"] == first["a"]


def test_a_lost_journal_is_written_again_from_the_artifact(study):
    first = run(study, SOURCE)["a"]
    (study / "results" / "s" / "provenance" / "annotate.cells" / "b0000.jsonl").unlink()
    again = run(study, SOURCE)["a"]
    assert (again.facts, again.sha256) == (first.facts, first.sha256)


def test_one_class_is_everyones_and_stands_in_the_statement(study):
    records = run(study, {**SOURCE, "classes": ["nucleus"]})
    assert records["a"].facts["classes"] == {"nucleus": 3}
    path = study / "results" / "s" / records["a"].artifact
    assert read_statement(path)["classes"] == ["nucleus"]
    assert read_statement(path)["fingerprint"] == records["a"].fingerprint


def test_classes_of_no_use_are_left_out_with_a_word():
    rows = [box_row(0, 0, 1, 1, **{"class": name}) for name in ("Tumor", "Ignore*", "", "Tumor")]
    table, notes = stage.choose_classes(make_table(rows), ("Tumor",), Path("a"))
    assert table["class"].tolist() == ["Tumor", "Tumor"]
    assert notes == ["annotations of no class are left out", "annotations of class 'Ignore*' are left out"]  # fmt: skip
    assert len(stage.choose_classes(make_table(rows), (), Path("a"))[0]) == 4


def test_several_classes_need_objects_that_have_one():
    table = make_table([box_row(0, 0, 1, 1)])
    with pytest.raises(DataError, match="no object has a class"):
        stage.choose_classes(table, ("a", "b"), Path("x.roi"))
    assert stage.choose_classes(make_table([]), ("a", "b"), Path("x.roi"))[0].empty


def test_the_study_knows_the_task_and_refuses_a_column_that_is_not_there(study):
    config = study / "config.yaml"
    loaded = load_study(read_config(config), config)
    assert loaded.tasks["annotate.cells"].needs == ("convert",)
    config.write_text(CONFIG % "{mask}")
    with pytest.raises(ConfigError, match=r"annotate\.cells\.source: the sheet has no column 'mask'"):  # fmt: skip
        load_study(read_config(config), config)


WRITERS = {"collection", "corners", "export_geojson", "export_imagej", "export_labels", "texts", "tracing"}  # fmt: skip


def test_the_code_of_every_format_makes_tables_stale():
    files = {path for path in (PACKAGE / "annotations").rglob("*.py") if path.stem not in WRITERS}
    found = {path for folder in stage.FINDS_BY_NAME for path in (PACKAGE / folder).glob("*.py")}
    seen = {Path(stage.__file__), *found}
    assert files - {PACKAGE / "annotations" / "__init__.py"} <= seen.union(*map(imported_files, seen))  # fmt: skip


def test_an_unknown_format_is_refused():
    with pytest.raises(ConfigError, match=r"annotate\.cells\.format"):
        load_stage("annotate", {"source": "a.tif", "format": "yolo"}, "annotate.cells")


# --- where annotations lie ---


def test_a_pattern_is_filled_in_from_the_sheets_folder(tmp_path):
    wanted = tmp_path / "m" / "a_a 1.json"
    wanted.parent.mkdir()
    wanted.write_text("[]")
    assert find_source("m/{image}_{stem}.json", row(), tmp_path) == wanted
    assert find_source("{mask}", row(mask="m/a_a 1.json"), tmp_path) == wanted
    assert find_source("{mask}", row(mask=str(wanted)), Path("elsewhere")) == wanted
    assert find_source(str(wanted), row(), Path("elsewhere")) == wanted


@pytest.mark.parametrize(
    ("source", "cell", "error"),
    [
        ("{mask}", "", Skip),
        ("m/{image}.tif", "", Skip),
        ("{mask}", "gone.tif", DataError),
        ("m/{mask}.tif", "gone", DataError),
        ("all.json", "", DataError),
    ],
)
def test_no_file_means_not_annotated_unless_somebody_named_it(tmp_path, source, cell, error):
    with pytest.raises(error) as caught:
        find_source(source, row(mask=cell), tmp_path)
    assert caught.value.code == {Skip: "NO_ANNOTATION", DataError: "MISSING"}[error]


@pytest.mark.parametrize("source", ["{nothing}", "", "  ", "{image", "a}.tif", "{image!r}", "{image.x}"])  # fmt: skip
def test_a_source_that_cannot_be_is_refused(source):
    with pytest.raises(ConfigError, match=r"annotate\.cells\.source"):
        check_source(source, row(mask=""), "annotate.cells.source")


def test_the_state_changes_with_the_file_and_not_with_its_folder(tmp_path):
    states = [source_state("{mask}", row(mask=""), tmp_path), source_state("x.tif", row(), tmp_path)]  # fmt: skip
    for folder in ("p", "q"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.tif").write_bytes(b"1")
        os.utime(tmp_path / folder / "x.tif", ns=(5, 5))
        states.append(source_state("x.tif", row(), tmp_path / folder))
    (tmp_path / "q" / "x.tif").write_bytes(b"22")
    states.append(source_state("x.tif", row(), tmp_path / "q"))
    assert states[0] == states[1] != states[2] == states[3] != states[4]
