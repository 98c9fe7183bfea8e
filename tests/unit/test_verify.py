"""Verify: model files and containers are what they were; two artifacts are compared by what they hold."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from scopemill import manifests, tables
from scopemill.images import Meta, write_labels
from scopemill.manifests import Record
from scopemill.models.description import Channel, Description
from scopemill.models.files import describe_weights, write_folder
from scopemill.verify.differences import describe_difference
from scopemill.verify.findings import Finding
from scopemill.verify.recomputed import draw_images
from scopemill.verify.repair import repair, set_aside
from scopemill.verify.sources import check_containers, check_models, find_model_fault
from scopemill.verify.stored import Ticker

HEADER = b"\x02\x00\x00\x00\x00\x00\x00\x00{}"  # safetensors without tensors


@pytest.fixture
def model(tmp_path):
    """A model folder below the results of a study."""
    folder = tmp_path / "models" / "nuclei"
    described = Description(architecture={"name": "unet"}, channels=[Channel(role="nucleus")], output=["foreground"])  # fmt: skip
    write_folder(folder, HEADER, describe_weights(folder, HEADER, described))
    return folder


def test_whole_weights_have_no_fault(model):
    assert find_model_fault(model) == ""


def test_changed_weights_are_found(model, tmp_path):
    (model / "weights.safetensors").write_bytes(HEADER[:-1] + b" ")
    (finding,) = check_models(SimpleNamespace(tasks={}), tmp_path)
    assert finding.kind == "WEIGHTS" and finding.file == str(model / "weights.safetensors")
    assert finding.cause == "is not what model.yaml describes (its sha256 differs)"


def test_absent_weights_are_found(model):
    (model / "weights.safetensors").unlink()
    assert find_model_fault(model) == "is not there"


def test_a_damaged_description_is_found(model):
    (model / "model.yaml").write_text("architecture: [")
    assert "not valid YAML" in find_model_fault(model)


@pytest.mark.parametrize(
    ("content", "sha256", "note", "cause"),
    [
        (b"image", "of the file", None, None),
        (b"other", "of the file", False, "is another image now"),
        (None, "of the file", True, "is not here"),
        (b"image", "", True, "do not say its sha256"),
    ],
    ids=["same", "other", "moved away", "not recorded"],
)
def test_containers_are_those_that_were_used(tmp_path, content, sha256, note, cause):
    image = tmp_path / "scopemill.sif"
    image.write_bytes(b"image")
    stated = manifests.sha256(image) if sha256 else ""
    image.unlink() if content is None else image.write_bytes(content)
    run = {"container": {"path": str(image), "recipe": "r", **({"sha256": stated} if stated else {})}}  # fmt: skip
    findings = list(check_containers({"convert": {"a": Record("a", "ok", "f", run=run)}}))
    assert [(one.note, cause in one.cause) for one in findings] == ([] if cause is None else [(note, True)])  # fmt: skip


def write_tif(path, labels):
    meta = Meta((1, 1, 1, *labels.shape), ("labels",), 0.5, None, False, "f")
    write_labels(path, lambda t, c, z, y, x: labels[y, x], meta.shape[:1] + meta.shape[2:], meta, "f")  # fmt: skip


def test_label_images_differ_in_so_many_pixels(tmp_path):
    labels = np.zeros((64, 64), np.uint32)
    labels[10:20, 10:20] = 1
    write_tif(tmp_path / "a.tif", labels)
    labels[0, :3] = 2
    write_tif(tmp_path / "b.tif", labels)
    assert describe_difference(tmp_path / "a.tif", tmp_path / "b.tif") == "3 of 4096 pixel values"
    assert describe_difference(tmp_path / "a.tif", tmp_path / "a.tif") == ""


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ({"n": [1, 2], "x": [0.5, np.nan]}, ""),
        ({"n": [1, 3], "x": [0.5, np.nan]}, "column n"),
        ({"n": [1], "x": [0.5]}, "2 rows and 2 columns instead of 1 and 2"),
        ({"n": [1, 2]}, "2 rows and 2 columns instead of 2 and 1"),
    ],
)
def test_tables_differ_in_these_columns(tmp_path, other, difference):
    a, b = tmp_path / "a.parquet", tmp_path / "b.parquet"
    tables.write_table(a, pd.DataFrame({"n": [1, 2], "x": [0.5, np.nan]}), made="now")
    tables.write_table(b, pd.DataFrame(other), made="then")
    assert describe_difference(a, b) == difference


def test_what_cannot_be_read_differs(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"")
    assert "cannot be read" in describe_difference(tmp_path / "a.parquet", tmp_path / "a.parquet")


def test_images_are_drawn_without_repeats_in_the_order_of_the_sheet():
    study = SimpleNamespace(rows=[SimpleNamespace(id=f"i{n:02}") for n in range(20)])
    drawn = draw_images(study, 5, seed=3)
    assert len(set(drawn)) == 5 and drawn == sorted(drawn)
    assert draw_images(study, 5, seed=3) == drawn != draw_images(study, 5, seed=4)
    assert len(draw_images(study, 50, seed=0)) == 20


def test_a_finding_is_one_line_whatever_names_hold():
    finding = Finding("ARTIFACT", "a\nb.tif", "is not there", "run it", "segment.n", "i1")
    assert finding.line == "ARTIFACT segment.n i1: a b.tif: is not there; run it"


def test_what_is_set_aside_twice_is_kept_twice(tmp_path):
    for content in (b"1", b"2", b"3"):
        (tmp_path / "a.csv").write_bytes(content)
        set_aside(tmp_path, "a.csv")
    kept = {path.name: path.read_bytes() for path in (tmp_path / "set_aside").iterdir()}
    assert kept == {"a.csv": b"1", "a.csv.2": b"2", "a.csv.3": b"3"}


def test_a_file_of_two_findings_is_moved_once(tmp_path):
    (tmp_path / "a.csv").touch()
    finding = Finding("TABLE", "a.csv", "differs", "run it", set_aside=("a.csv", "absent.csv"))
    assert repair(tmp_path, [finding, dataclasses.replace(finding, kind="CRATE")]) == ["a.csv"]


def test_progress_is_told_now_and_then(capsys):
    times = iter([0.0, 1.0, 6.0, 7.0])
    ticker = Ticker(3, clock=lambda: next(times))
    for _ in range(3):
        ticker.step(600_000_000)
    assert capsys.readouterr().err == "verify: 2/3 artifacts, 1.2 GB, 200 MB/s\n"
