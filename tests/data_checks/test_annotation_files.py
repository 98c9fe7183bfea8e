"""Real annotation files: each read as its README says, and written again without loss."""

from pathlib import Path

import numpy as np
import pytest
import shapely
import tifffile
from pandas.testing import assert_frame_equal
from PIL import Image

from scopemill.annotations.export_geojson import write_geojson
from scopemill.annotations.export_imagej import write_rois
from scopemill.annotations.export_labels import write_label_image
from scopemill.annotations.reading import read_annotations
from scopemill.annotations.table import boxes, find_vanished, to_classes, to_labels
from scopemill.errors import DataError
from scopemill.images import Meta, reader_of, write_classes, write_labels

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not (DATA / "annotations").is_dir(), reason="the shared data folder is not beside the checkout"
)
NUCLEI = DATA / "he_nuclei_brain"
BCCD = DATA / "bccd_voc_boxes" / "Annotations"
DSB = DATA / "dsb2018_nuclei" / "masks"


@pytest.mark.parametrize(
    ("name", "classes", "box"),
    [
        ("qupath/polygon.geojson", [""], [0.6, 0.35, 9999.89, 9999.63]),
        ("histoqc/holed.geojson", [""], [16763, 10098, 19491, 13369]),
        ("histoqc/geojson_example.json", ["Tumor", "Invborder"], [54671, 21389, 168856, 75091]),
    ],
)
def test_qupath_files_are_read_and_survive_a_round_trip(tmp_path, name, classes, box):
    table = read_annotations(DATA / "annotations" / name)
    assert table["class"].tolist() == classes and boxes(table)[0].tolist() == box
    write_geojson(tmp_path / "a.geojson.gz", table)
    assert_frame_equal(read_annotations(tmp_path / "a.geojson.gz"), table)


def test_a_hole_of_a_real_file_is_no_object():
    table = read_annotations(DATA / "annotations" / "histoqc" / "holed.geojson")
    outline = shapely.from_wkb(table.loc[0, "geometry"])
    assert shapely.get_num_interior_rings(outline) >= 1
    area = to_labels(table, (20000, 14000)).sum()
    assert abs(area - outline.area) < 0.001 * outline.area


def test_slide_annotations_do_not_fit_a_tile():
    with pytest.raises(DataError) as caught:
        read_annotations(DATA / "annotations/histoqc/holed.geojson", shape=(1, 1, 512, 512))
    assert caught.value.code == "ANNOTATION_FIT"


def test_a_class_image_of_a_slide_region_is_read():
    (path,) = (DATA / "annotations" / "histomicstk").glob("*.png")
    table = read_annotations(path, "classes")
    assert table["class"].tolist() == ["1", "2", "3", "7", "13", "18"]
    image = to_classes(table, (4594, 4542), ["7"])
    assert image.sum() > 0 and np.unique(image).tolist() == [0, 1]


@pytest.mark.parametrize("name", ["GBM40_01", "GBM40_05", "TCGA-DB-5270_R01_tile1"])
def test_outlines_of_nuclei_lie_on_their_labels(tmp_path, name):
    labels = tifffile.imread(NUCLEI / "labels" / f"{name}.tif")
    table = read_annotations(NUCLEI / "geojson" / f"{name}.geojson", shape=(1, 1, *labels.shape))
    assert set(table["class"]) == {"Nucleus"}
    ours, theirs = to_labels(table, labels.shape) > 0, labels > 0
    assert not find_vanished(table, to_labels(table, labels.shape))
    # these labels were drawn with pixel centres at whole numbers: half a pixel further right and below
    moved = table.copy()
    moved["geometry"] = [shapely.to_wkb(shapely.transform(shapely.from_wkb(one), lambda p: p + 0.5)) for one in table["geometry"]]  # fmt: skip
    moved[["y0", "x0", "y1", "x1"]] += 0.5
    shifted = to_labels(moved, labels.shape) > 0
    assert (shifted != theirs).mean() < 0.01 < (ours != theirs).mean() < 0.03
    for path, write in ((tmp_path / "a.geojson", write_geojson), (tmp_path / "a.zip", write_rois)):
        write(path, table)
        again = read_annotations(path)
        write(path, again)
        assert_frame_equal(read_annotations(path), again)


def test_every_box_of_the_blood_cells_is_read():
    tables = [read_annotations(path, shape=(1, 1, 480, 640)) for path in sorted(BCCD.glob("*.xml"))]
    assert len(tables) == 90 and sum(map(len, tables)) == 1439
    classes = {name for table in tables for name in table["class"]}
    assert classes == {"RBC", "WBC", "Platelets"}
    first = boxes(tables[0])
    assert first[0].tolist() == [177, 260, 376, 491] and first[7].tolist() == [333, 0, 437, 87]


def test_label_images_survive_masks_and_outlines(tmp_path):
    for path in sorted(DSB.glob("*.tif"))[:12]:
        labels = tifffile.imread(path)
        shape = (1, 1, *labels.shape)
        table = read_annotations(path, shape=shape)
        assert (to_labels(table, labels.shape) == labels).all()
        for name, write in (("a.geojson", write_geojson), ("a.zip", write_rois)):
            write(tmp_path / name, table)
            again = to_labels(read_annotations(tmp_path / name, shape=shape), labels.shape)
            pairs = np.unique(np.stack([again.ravel(), labels.ravel()]), axis=1)
            assert pairs.shape[1] == len(np.unique(labels))  # one number for each number


@pytest.mark.parametrize(
    ("name", "shape", "n"), [("mask2d", (1, 1, 512, 512), 125), ("mask3d", (1, 31, 61, 57), 51)]
)
def test_stardists_labels_are_read_in_two_and_three_dimensions(name, shape, n):
    path = DATA / "stardist_samples" / f"{name}.tif"
    table = read_annotations(path, shape=shape)
    labels = tifffile.imread(path)
    assert len(table) == n and (to_labels(table, labels.shape) == labels).all()


@pytest.mark.parametrize("path", [*sorted(DSB.glob("*.tif"))[::200], DATA / "stardist_samples" / "mask2d.tif"])  # fmt: skip
def test_a_studys_labels_come_back_from_qupaths_format_with_their_counts_and_areas(tmp_path, path):
    labels = tifffile.imread(path).astype(np.uint32)
    shape = (1, 1, *labels.shape)
    meta = Meta((1, 1, 1, *labels.shape), ("x",), None, None)
    write_labels(tmp_path / "a.ome.tif", reader_of(labels[None, None]), shape, meta, "f")
    _, n = write_label_image(tmp_path / "a.ome.tif", tmp_path / "a.geojson")
    table = read_annotations(tmp_path / "a.geojson", shape=shape)
    areas = shapely.area(shapely.from_wkb(table["geometry"].to_list()))
    assert n == len(table) == len(np.unique(labels)) - 1
    assert sorted(areas) == sorted(np.unique(labels[labels > 0], return_counts=True)[1])


def test_the_classes_of_a_slide_region_come_back_with_their_areas(tmp_path):
    (path,) = (DATA / "annotations" / "histomicstk").glob("*.png")
    classes = np.asarray(Image.open(path)).astype(np.uint8)
    shape, names = (1, 1, *classes.shape), tuple(map(str, range(classes.max() + 1)))
    meta = Meta((1, 1, 1, *classes.shape), ("x",), None, None)
    write_classes(tmp_path / "a.ome.tif", reader_of(classes[None, None]), shape, meta, names, "f")
    _, n = write_label_image(tmp_path / "a.ome.tif", tmp_path / "a.geojson")
    table = read_annotations(tmp_path / "a.geojson", shape=shape)
    assert n == len(table) == 6
    assert (to_classes(table, classes.shape, names[1:]) == classes).all()


def test_contours_and_mask_of_a_slide_region_agree(tmp_path):
    folder = DATA / "annotations" / "histomicstk"
    table = read_annotations(folder / "sample_contours_df.tsv", shape=(1, 1, 4594, 4542))
    assert table["class"].value_counts().to_dict() == {
        "mostly_tumor": 25, "mostly_lymphocytic_infiltrate": 13, "blood_vessel": 3, "normal_acinus_or_duct": 2,
        "roi": 1, "mostly_stroma": 1, "exclude": 1,
    }  # fmt: skip
    (path,) = folder.glob("*.png")
    mask = np.asarray(Image.open(path))
    for code, name in ((7, "exclude"), (13, "normal_acinus_or_duct"), (18, "blood_vessel")):
        drawn = to_classes(table[table["class"] == name], mask.shape, [name])
        assert (drawn == (mask == code)).all()
    write_geojson(tmp_path / "a.geojson", table)
    again = read_annotations(tmp_path / "a.geojson")
    assert again["geometry"].tolist() == table["geometry"].tolist()
