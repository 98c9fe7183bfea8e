"""scopemill export: labels go out to other programs and come back the same."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
import shapely
import tifffile

from scopemill import images, tables
from scopemill.annotations import collection
from scopemill.annotations.reading import read_annotations
from scopemill.annotations.table import to_classes
from scopemill.commands.export import main
from scopemill.manifests import Record, write_manifest
from scopemill.settings import ConfigError

LABELS = np.array(
    [
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 7, 0],
        [0, 1, 0, 7, 7, 7],
        [0, 0, 0, 0, 7, 0],
    ],
    np.uint16,
)


@pytest.mark.parametrize("name", ["cells.geojson", "cells.geojson.gz", "cells.zip"])
def test_labels_come_back_the_same(tmp_path, capsys, name):
    tifffile.imwrite(tmp_path / "labels.tif", LABELS)
    assert main([str(tmp_path / "labels.tif"), str(tmp_path / name)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / name}: 2 objects\n"
    again = tmp_path / "again.tif"
    assert main([str(tmp_path / name), str(again), "--size", "4", "6"]) == 0
    found = tifffile.imread(again)
    assert found.shape == (4, 6)
    assert len(np.unique(found)) == 3
    pairs = np.unique(np.stack([LABELS.ravel(), found.ravel()]), axis=1)
    assert pairs.shape[1] == 3  # background, and each object where it was


def test_what_cannot_be_written_is_said(tmp_path):
    tifffile.imwrite(tmp_path / "labels.tif", LABELS)
    source = str(tmp_path / "labels.tif")
    for target, message in {
        "x.svg": "cannot be written; .geojson, .geojson.gz",
        "x.tif": "--size HEIGHT WIDTH is missing",
    }.items():
        with pytest.raises(ConfigError, match=message):
            main([source, str(tmp_path / target)])
    with pytest.raises(ConfigError, match=r"labels\.tif: is there already"):
        main([source, source])
    with pytest.raises(ConfigError, match=r"MISSING: .*nothing\.tif: no such annotation file"):
        main([str(tmp_path / "nothing.tif"), str(tmp_path / "x.geojson")])


def write_study(root):
    """A study of one image with two cells, their class and region, and a class image."""
    meta = images.Meta((1, 1, 1, 4, 6), ("DNA",), 0.5, None)
    shape, volume = (1, 1, 4, 6), LABELS[None, None].astype(np.uint32)
    made = {"segment.cells": "labels/cells/a.ome.tif", "segment.tissue": "classes/tissue/a.ome.tif"}
    made |= {key: f"{key.replace('.', '/')}/a.parquet" for key in ("detect.cells", "detect.spots", "quantify.cells", "classify.type", "classify.size")}  # fmt: skip
    for path in made.values():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
    images.write_labels(root / made["segment.cells"], images.reader_of(volume), shape, meta, "f")
    region = images.reader_of((volume > 0).astype(np.uint8) * 2)
    names = ("background", "air", "tissue")
    images.write_classes(root / made["segment.tissue"], region, shape, meta, names, "f")
    rows = pd.DataFrame({"image": "a", "t": 0, "label": [7, 1]})
    tables.write_table(root / made["detect.cells"], rows.assign(y0=0), labels="cells")
    spots = rows.assign(y=[0.0, 2.0], x=[1.0, 3.0]).drop(columns="label")
    tables.write_table(root / made["detect.spots"], spots)
    measured = rows.assign(area_um2=[1.25, np.nan], tissue=["air", "tissue"], near=[True, False])
    tables.write_table(root / made["quantify.cells"], measured, objects="cells")
    for task, names in (("type", ["T", "B"]), ("size", ["large", "small"])):
        path = root / made[f"classify.{task}"]
        tables.write_table(path, rows.assign(**{"class": names}), objects="cells")
    for key, path in made.items():
        write_manifest(root / "manifests" / key / "b0.jsonl", [Record("a", "ok", "f", artifact=path), Record("lost", "quarantined", "f")])  # fmt: skip


def read_features(path):
    return json.loads(path.read_text(encoding="utf-8"))["features"]


def test_a_study_goes_to_qupath_with_its_classes_and_measurements(tmp_path, capsys):
    write_study(tmp_path / "results")
    assert main([str(tmp_path / "results"), "--to", "qupath", str(tmp_path / "out")]) == 0
    lines = sorted(capsys.readouterr().out.splitlines())
    out = tmp_path / "out"
    assert lines == [f"{out}/cells/a.geojson: 2 objects", f"{out}/spots/a.geojson: 2 objects", f"{out}/tissue/a.geojson: 1 objects"]  # fmt: skip
    first, second = read_features(out / "cells" / "a.geojson")
    assert first["geometry"]["coordinates"] == [[[0, 0], [2, 0], [2, 1], [3, 1], [3, 2], [2, 2], [2, 3], [1, 3], [1, 2], [0, 2], [0, 0]]]  # fmt: skip
    assert first["properties"]["objectType"] == "detection"
    assert first["properties"]["classification"]["name"] == "small: B"
    assert first["properties"]["metadata"] == {"tissue": "tissue"}
    assert first["properties"]["measurements"] == {"label": 1, "near": 0}
    assert second["properties"]["measurements"] == {"label": 7, "area_um2": 1.25, "near": 1}
    assert len(second["properties"]["classification"]["color"]) == 3


def test_a_class_image_becomes_a_locked_annotation_with_its_name(tmp_path):
    write_study(tmp_path / "results")
    main([str(tmp_path / "results"), "--to", "qupath", "--task", "tissue", str(tmp_path / "out")])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tissue"]
    (feature,) = read_features(tmp_path / "out/tissue/a.geojson")
    properties = feature["properties"]
    assert properties["objectType"] == "annotation" and properties["isLocked"] is True
    assert properties["name"] == properties["classification"]["name"] == "tissue"
    assert properties["measurements"] == {"area": 11, "area_um2": 2.75}
    table = read_annotations(tmp_path / "out/tissue/a.geojson")
    assert (to_classes(table, (4, 6), ["air", "tissue"]) == 2 * (LABELS > 0)).all()


def test_spots_become_points_in_the_middle_of_their_pixels(tmp_path):
    write_study(tmp_path / "results")
    main([str(tmp_path / "results"), "--to", "qupath", "--task", "spots", str(tmp_path / "out")])
    (feature,) = read_features(tmp_path / "out/spots/a.geojson")
    assert feature["geometry"] == {"type": "MultiPoint", "coordinates": [[1.5, 0.5], [3.5, 2.5]]}
    assert feature["properties"]["classification"]["name"] == "spots"


def test_what_a_study_does_not_have_is_refused(tmp_path):
    write_study(tmp_path / "results")
    arguments = [str(tmp_path / "results"), "--to", "qupath", str(tmp_path / "out")]
    with pytest.raises(
        ConfigError, match=r"nothing to export of task 'cell'; did you mean 'cells'"
    ):
        main([*arguments, "--task", "cell"])
    with pytest.raises(ConfigError, match=r"a folder; give --to qupath"):
        main([str(tmp_path / "results"), str(tmp_path / "x.geojson")])
    with pytest.raises(ConfigError, match="no results/<study> with labels"):
        main([str(tmp_path), "--to", "qupath", str(tmp_path / "out")])


def test_a_large_file_is_packed_and_a_small_one_takes_its_place(tmp_path, monkeypatch):
    write_study(tmp_path / "results")
    arguments = [str(tmp_path / "results"), "--to", "qupath", str(tmp_path / "out"), "--task", "cells"]  # fmt: skip
    main(arguments)
    plain = (tmp_path / "out/cells/a.geojson").read_bytes()
    monkeypatch.setattr(collection, "LARGE_BYTES", 100)
    main(arguments)
    assert [path.name for path in (tmp_path / "out/cells").iterdir()] == ["a.geojson.gz"]
    assert gzip.decompress((tmp_path / "out/cells/a.geojson.gz").read_bytes()) == plain
    assert len(read_annotations(tmp_path / "out/cells/a.geojson.gz")) == 2
    monkeypatch.undo()
    main(arguments)
    assert [path.name for path in (tmp_path / "out/cells").iterdir()] == ["a.geojson"]


def test_planes_and_times_of_a_label_image_are_told_apart(tmp_path):
    volume = np.stack([[LABELS, 0 * LABELS], [0 * LABELS, LABELS]]).astype(np.uint32)
    meta = images.Meta((2, 1, 2, 4, 6), ("DNA",), 0.5, 1.0)
    path = tmp_path / "a.ome.tif"
    images.write_labels(path, images.reader_of(volume), volume.shape, meta, "f")
    assert main([str(path), str(tmp_path / "a.geojson")]) == 0
    planes = [one["geometry"]["plane"] for one in read_features(tmp_path / "a.geojson")]
    assert planes == [{"c": -1, "z": 0, "t": 0}] * 2 + [{"c": -1, "z": 1, "t": 1}] * 2


def test_simplified_classes_have_fewer_corners_and_stay_valid(tmp_path):
    y, x = np.mgrid[:64, :64]
    disk = ((y - 32) ** 2 + (x - 32) ** 2 < 28**2).astype(np.uint8)
    meta = images.Meta((1, 1, 1, 64, 64), ("DNA",), None, None)
    path = tmp_path / "a.ome.tif"
    images.write_classes(path, images.reader_of(disk[None, None]), (1, 1, 64, 64), meta, ("no", "disk"), "f")  # fmt: skip
    shapes = {}
    for error in ("0", "1"):
        main([str(path), str(tmp_path / f"{error}.geojson"), "--simplify", error])
        (feature,) = read_features(tmp_path / f"{error}.geojson")
        shapes[error] = shapely.geometry.shape(feature["geometry"])
    assert shapes["0"].area == disk.sum() and shapes["1"].is_valid
    assert shapely.get_num_coordinates(shapes["1"]) < shapely.get_num_coordinates(shapes["0"]) / 2
    assert shapely.hausdorff_distance(shapes["0"].exterior, shapes["1"].exterior) <= 1
