"""Annotations: every format to one table and back; outlines to pixels, half a pixel being an error."""

import gzip
import json
import struct
import zipfile

import numpy as np
import pandas as pd
import pytest
import shapely
import tifffile
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pandas.testing import assert_frame_equal
from PIL import Image
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from scopemill.annotations import masks, outlines, raster
from scopemill.annotations.export_geojson import write_geojson
from scopemill.annotations.export_imagej import write_rois
from scopemill.annotations.formats import _file, coco, imagej
from scopemill.annotations.reading import read_annotations
from scopemill.annotations.table import (
    at_time,
    box_row,
    boxes,
    find_vanished,
    from_labels,
    make_table,
    mask_row,
    outline_row,
    to_classes,
    to_labels,
)
from scopemill.errors import DataError, Skip


def slow(examples):
    """The first example also imports a library."""
    return hypothesis_settings(deadline=None, max_examples=examples)


MASKS = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))
SQUARE = [[1, 1], [4, 1], [4, 4], [1, 4], [1, 1]]


def polygon(points, **more):
    return outline_row("polygon", shapely.Polygon(points), **more)


def drawn(row, shape=(6, 6)):
    return to_labels(make_table([row]), shape).astype(int).tolist()


def refused(path, kind="auto", **more):
    with pytest.raises(DataError) as caught:
        read_annotations(path, kind, **more)
    assert path.name in str(caught.value)
    return caught.value.code, str(caught.value)


# --- pixels ---


def test_a_square_covers_the_pixels_whose_centres_it_holds():
    assert drawn(polygon(SQUARE)) == [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize(
    ("low", "high", "covered"),
    [(0.0, 2.0, [0, 1]), (0.4, 2.4, [0, 1]), (0.5, 2.5, [0, 1]), (0.6, 2.6, [1, 2]), (0.6, 1.4, [])],
)  # fmt: skip
def test_the_centre_decides_and_a_tie_falls_to_the_right_and_below(low, high, covered):
    across = to_labels(make_table([polygon([[low, 0], [high, 0], [high, 1], [low, 1]])]), (1, 4))
    down = to_labels(make_table([polygon([[0, low], [1, low], [1, high], [0, high]])]), (4, 1))
    assert np.flatnonzero(across[0]).tolist() == covered
    assert np.flatnonzero(down[:, 0]).tolist() == covered


def test_a_hole_is_not_filled_and_a_second_part_is():
    ring = shapely.Polygon([[0, 0], [5, 0], [5, 5], [0, 5]], [[[1, 1], [4, 1], [4, 4], [1, 4]]])
    both = shapely.MultiPolygon([ring, shapely.box(2, 2, 3, 3)])
    assert drawn(outline_row("polygon", both), (5, 5)) == [
        [1, 1, 1, 1, 1],
        [1, 0, 0, 0, 1],
        [1, 0, 1, 0, 1],
        [1, 0, 0, 0, 1],
        [1, 1, 1, 1, 1],
    ]


def test_parts_that_overlap_stay_filled():
    both = shapely.MultiPolygon([shapely.box(0, 0, 2, 1), shapely.box(1, 0, 3, 1)])
    assert drawn(outline_row("polygon", both), (1, 4)) == [[1, 1, 1, 0]]


def test_what_lies_outside_is_cut_off():
    assert drawn(polygon([[-2, -2], [1, -2], [1, 1], [-2, 1]]), (2, 2)) == [[1, 0], [0, 0]]
    assert drawn(mask_row(np.ones((3, 3), bool), (-2, 1)), (2, 2)) == [[0, 1], [0, 0]]
    assert drawn(polygon([[7, 7], [9, 7], [9, 9]]), (2, 2)) == [[0, 0], [0, 0]]


@slow(100)
@given(st.lists(st.tuples(st.floats(-2, 12), st.floats(-2, 12)), min_size=3, max_size=9))
def test_filling_agrees_with_geos_wherever_no_centre_lies_on_the_outline(points):
    shape = shapely.Polygon(points)
    y, x = np.mgrid[:10, :10] + 0.5
    clear = shapely.distance(shape.exterior, shapely.points(x, y)) > 1e-9
    # of a ring that runs to and fro on one line GEOS says that it contains what lies beside it
    assume(abs(shapely.unary_union(shape.exterior).length - shape.exterior.length) < 1e-9)
    expected = shapely.contains_xy(shape, x, y)
    assert (raster.fill(shape, 0, 0, 10, 10) == expected)[clear].all()


@slow(100)
@given(st.floats(0.01, 9.99), st.floats(0.01, 9.99), st.lists(st.integers(0, 20), min_size=1, max_size=4))  # fmt: skip
def test_neighbours_share_no_pixel_and_leave_none_out(top, bottom, steps):
    seam = [(x / 2, y) for x, y in zip(steps, range(2, 2 + len(steps)), strict=True)]
    seam = [(top, -1), *seam, (bottom, 11)]
    left = shapely.Polygon([(-20, -1), *seam, (-20, 11)])
    right = shapely.Polygon([(30, -1), *seam, (30, 11)])
    ours, theirs = raster.fill(left, 0, 0, 10, 10), raster.fill(right, 0, 0, 10, 10)
    assert (ours ^ theirs).all()


@slow(100)
@given(MASKS)
def test_tracing_a_mask_and_filling_it_gives_the_mask(mask):
    if mask.any():
        outline = outlines.trace(mask, 3, 5)
        assert outline.is_valid and outline.area == mask.sum()
        assert (raster.fill(outline, 3, 5, *mask.shape) == mask).all()


def test_a_traced_outline_has_corners_only():
    outline = outlines.trace(np.ones((2, 3), bool), 1, 1)
    assert shapely.get_num_coordinates(outline) == 5
    assert outline.bounds == (1, 1, 4, 3)


@slow(100)
@given(arrays(bool, st.one_of(MASKS.map(np.shape), st.tuples(*[st.integers(1, 5)] * 3))))
def test_packing_a_mask_loses_nothing(mask):
    assert (masks.unpack(masks.pack(mask), *mask.shape[-2:]) == mask).all()


@slow(100)
@given(arrays(np.uint32, st.one_of(st.tuples(*[st.integers(1, 8)] * 2), st.tuples(*[st.integers(1, 5)] * 3)), elements=st.sampled_from([0, 1, 2, 9, 2**32 - 1])))  # fmt: skip
def test_labels_come_back_with_their_numbers(labels):
    table = from_labels(labels)
    assert (to_labels(table, labels.shape) == labels).all()
    assert sorted(table["label"]) == sorted(set(np.unique(labels)) - {0})


def test_labels_become_boxes_and_classes():
    labels = np.array([[0, 7, 7], [2, 0, 7]], np.uint32)
    table = from_labels(labels, {2: "small"})
    assert table["label"].tolist() == [2, 7] and table["class"].tolist() == ["small", ""]
    assert boxes(table).tolist() == [[1, 0, 2, 1], [0, 1, 2, 3]]
    assert to_classes(table, (2, 3), ["big", "small"]).tolist() == [[0, 0, 0], [2, 0, 0]]


def test_small_lies_over_large_and_later_over_earlier():
    rows = [box_row(0, 0, 1, 1), box_row(0, 0, 1, 4), box_row(0, 1, 1, 3), box_row(0, 2, 1, 4)]
    assert to_labels(make_table(rows), (1, 4)).tolist() == [[1, 3, 4, 4]]


def test_what_has_no_pixel_is_reported():
    point = outline_row("point", shapely.Point(0.5, 0.5))
    line = outline_row("line", shapely.LineString([[0, 0], [3, 3]]))
    tiny = polygon([[0.1, 0.1], [0.3, 0.1], [0.3, 0.3]])
    table = make_table([box_row(0, 0, 1, 1), box_row(0, 0, 1, 1), point, line, tiny])
    labels = to_labels(table, (2, 2))
    assert labels.tolist() == [[2, 0], [0, 0]]
    assert find_vanished(table, labels) == [1, 3, 4, 5]
    assert len(boxes(table)) == 3


def test_planes_and_times_are_kept_apart():
    rows = [box_row(0, 0, 1, 1, z=1), box_row(0, 1, 1, 2), box_row(0, 0, 1, 1, t=1, z=0)]
    table = make_table(rows)
    now = at_time(table, 0)
    assert now["label"].tolist() == [1, 2]
    assert to_labels(now, (2, 1, 2)).tolist() == [[[0, 2]], [[1, 2]]]
    with pytest.raises(ValueError, match="plane 1"):
        to_labels(now, (1, 2))
    with pytest.raises(ValueError, match="several time points"):
        to_labels(make_table([box_row(0, 0, 1, 1, t=0), box_row(0, 0, 1, 1, t=1)]), (1, 2))


def test_a_mask_with_depth_knows_its_first_plane():
    labels = np.zeros((4, 2, 2), np.uint32)
    labels[2:, 0, 1] = 5
    table = from_labels(labels)
    assert table["z"].tolist() == [2]
    with pytest.raises(ValueError):
        to_labels(table, (2, 2))


def test_an_empty_table_draws_nothing():
    table = make_table([])
    assert len(table) == 0 and not to_labels(table, (2, 2)).any() and boxes(table).shape == (0, 4)
    assert not to_classes(table, (2, 2), ["a"]).any()


def test_classes_must_be_named_once():
    with pytest.raises(ValueError):
        to_classes(make_table([]), (2, 2), ["a", "a"])


# --- GeoJSON ---

QUPATH = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature", "id": "7a3ebd57-7f9b-4e8c-a1e2-6a8e2bd1f3a0",
            "geometry": {"type": "Polygon", "coordinates": [[*SQUARE], [[2, 2], [3, 2], [3, 3], [2, 2]]]},
            "properties": {
                "objectType": "cell", "name": "a \u00b5", "isLocked": True,
                "classification": {"names": ["Tumor", "Positive"], "color": [200, 0, 0]},
                "measurements": {"Area": 8.5, "score": 0.25},
            },
            "nucleusGeometry": {"type": "Polygon", "coordinates": [SQUARE]},
        },
        {
            "type": "Feature", "id": "PathAnnotationObject",
            "geometry": {"type": "MultiPolygon", "coordinates": [[SQUARE], [[[5, 5], [6, 5], [6, 6], [5, 5]]]]},
            "properties": {"classification": {"name": "Stroma", "colorRGB": -3670016}, "measurements": [{"name": "score", "value": 0.5}]},
        },
        {"type": "Feature", "geometry": {"type": "MultiPoint", "coordinates": [[1.5, 2.5], [3.25, 4]]}, "properties": {"classification": "Spot"}},
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [0, 0]}, "properties": {}},
        {"type": "Feature", "geometry": {"type": "LineString", "coordinates": [[0, 0], [2, 3], [4, 1]]}, "properties": None},
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [SQUARE], "isEllipse": True}, "properties": {"objectType": "annotation", "color": [1, 2, 3], "metadata": {"who": "me"}}},
    ],
}  # fmt: skip


def write_json(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def qupath(tmp_path):
    return write_json(tmp_path / "a.geojson", QUPATH)


def test_qupaths_features_are_read(qupath):
    table = read_annotations(qupath)
    assert table["label"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert table["kind"].tolist() == ["polygon"] * 2 + ["point"] * 3 + ["line", "polygon"]
    assert table["class"].tolist() == ["Tumor: Positive", "Stroma", "Spot", "Spot", "", "", ""]
    assert table["name"].tolist() == ["a \u00b5", "", "", "", "", "", ""]
    assert table["score"].tolist()[:2] == [0.25, 0.5] and table["score"].isna()[2:].all()
    assert table.loc[0, ["y0", "x0", "y1", "x1"]].tolist() == [1, 1, 4, 4]
    assert table.loc[3, ["y0", "x0", "y1", "x1"]].tolist() == [4, 3.25, 4, 3.25]
    assert set(table["t"]) == set(table["z"]) == {-1}


@pytest.mark.parametrize("suffix", [".geojson", ".geojson.gz"])
def test_geojson_survives_a_round_trip(qupath, tmp_path, suffix):
    table = read_annotations(qupath)
    path = tmp_path / f"b{suffix}"
    write_geojson(path, table)
    assert_frame_equal(read_annotations(path), table)
    text = gzip.decompress(path.read_bytes()) if suffix.endswith("gz") else path.read_bytes()
    features = json.loads(text)["features"]
    for written, original in zip(features, QUPATH["features"], strict=True):
        assert written["properties"] == (original["properties"] or {})
        assert {**written, "geometry": 0} == {**original, "geometry": 0, "properties": written["properties"]}  # fmt: skip
        assert shapely.equals_exact(shapely.geometry.shape(written["geometry"]), shapely.geometry.shape(original["geometry"]))  # fmt: skip


def test_equal_tables_give_equal_bytes(qupath, tmp_path):
    table = read_annotations(qupath)
    for name in ("b.geojson.gz", "c.geojson.gz"):
        write_geojson(tmp_path / name, table)
        write_rois(tmp_path / f"{name}.zip", table)
    assert (tmp_path / "b.geojson.gz").read_bytes() == (tmp_path / "c.geojson.gz").read_bytes()
    assert (tmp_path / "b.geojson.gz.zip").read_bytes() == (tmp_path / "c.geojson.gz.zip").read_bytes()  # fmt: skip


def test_a_changed_class_is_written_with_a_colour(qupath, tmp_path):
    table = read_annotations(qupath).assign(**{"class": "New"})
    write_geojson(tmp_path / "b.geojson", table)
    first = json.loads((tmp_path / "b.geojson").read_text())["features"][0]["properties"]
    assert first["classification"]["name"] == "New" and len(first["classification"]["color"]) == 3
    assert first["measurements"] == {"Area": 8.5, "score": 0.25}


def test_planes_are_written_and_one_that_is_not_said_is_the_first(tmp_path):
    plane = {"type": "Polygon", "coordinates": [SQUARE], "plane": {"c": -1, "z": 2, "t": 0}}
    bare = {"type": "Polygon", "coordinates": [SQUARE]}
    features = [{"type": "Feature", "geometry": one, "properties": {}} for one in (plane, bare)]
    table = read_annotations(write_json(tmp_path / "a.json", features))
    assert table["z"].tolist() == [2, 0] and table["t"].tolist() == [0, 0]
    write_geojson(tmp_path / "b.geojson", table)
    again = read_annotations(tmp_path / "b.geojson")
    assert_frame_equal(again.drop(columns="properties"), table.drop(columns="properties"))


@pytest.mark.parametrize(
    "content",
    [
        {"type": "Polygon", "coordinates": [SQUARE]},
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [SQUARE]}},
        [{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [SQUARE[:-1]]}}],
    ],
)
def test_a_bare_geometry_feature_or_list_will_do(tmp_path, content):
    table = read_annotations(write_json(tmp_path / "a.json", content))
    assert boxes(table).tolist() == [[1, 1, 4, 4]]


def test_nested_objects_are_made_flat(tmp_path):
    child = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2, 2]}, "properties": {"name": "child"}}  # fmt: skip
    parent = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [SQUARE]}, "properties": {"name": "parent", "childObjects": [child]}}  # fmt: skip
    table = read_annotations(write_json(tmp_path / "a.geojson", [parent]))
    assert table["name"].tolist() == ["parent", "child"]


def test_a_file_without_features_is_an_image_without_objects(tmp_path):
    assert read_annotations(write_json(tmp_path / "a.geojson", {"type": "FeatureCollection", "features": []})).empty  # fmt: skip
    assert read_annotations(write_json(tmp_path / "b.geojson", [])).empty


@pytest.mark.parametrize(
    ("geometry", "code"),
    [
        ({"type": "Polygon", "coordinates": [[[0, 0], [float("nan"), 1], [2, 2]]]}, "NONFINITE"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [float("inf"), 1], [2, 2]]]}, "NONFINITE"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]}, "ANNOTATION"),
        ({"type": "Polygon", "coordinates": []}, "ANNOTATION"),
        ({"type": "Polygon", "coordinates": [[1, 2, 3]]}, "ANNOTATION"),
        ({"type": "Polygon", "coordinates": [[["a", 1], [2, 3], [4, 5]]]}, "ANNOTATION"),
        ({"type": "Polygon"}, "ANNOTATION"),
        ({"type": "LineString", "coordinates": [[0, 0]]}, "ANNOTATION"),
        ({"type": "GeometryCollection", "geometries": []}, "ANNOTATION"),
        ({"type": "Polygon", "coordinates": [SQUARE], "plane": {"z": "x"}}, "ANNOTATION"),
        (None, "ANNOTATION"),
    ],
)
def test_a_damaged_feature_is_refused_by_number(tmp_path, geometry, code):
    path = write_json(tmp_path / "a.geojson", [{"type": "Feature", "geometry": geometry}])
    assert refused(path)[0] == code


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"a": 1}', '{"type": "Feature"', "[1, 2]", '"x"', "{}"])  # fmt: skip
def test_what_is_no_geojson_is_refused(tmp_path, text):
    path = tmp_path / "a.geojson"
    path.write_text(text)
    assert refused(path)[0] == "ANNOTATION"
    assert refused(path, "geojson")[0] == "ANNOTATION"


def test_a_gzip_bomb_stops_at_the_limit(tmp_path, monkeypatch):
    path = tmp_path / "a.geojson.gz"
    path.write_bytes(gzip.compress(b"[" + b" " * 1_000_000 + b"]"))
    assert read_annotations(path).empty
    with pytest.raises(DataError) as caught:
        _file.read_bytes(path, 1000)
    assert caught.value.code == "TOO_LARGE"
    path.write_bytes(path.read_bytes()[:-20])
    assert refused(path)[0] == "ANNOTATION"


def test_a_polygon_far_outside_says_what_may_be_wrong(tmp_path):
    far = [[[900, 10], [950, 10], [950, 60]]]
    path = write_json(tmp_path / "a.geojson", {"type": "Polygon", "coordinates": far})
    code, message = refused(path, shape=(1, 1, 100, 100))
    assert code == "ANNOTATION_FIT" and "another scale" in message and "100 x 100" in message
    over = [[[-5, 10], [95, 10], [95, 60]]]
    path = write_json(tmp_path / "b.geojson", {"type": "Polygon", "coordinates": over})
    assert len(read_annotations(path, shape=(1, 1, 100, 100))) == 1


# --- ImageJ ---


def make_zip(path, *rois):
    with zipfile.ZipFile(path, "w") as archive:
        for number, roi in enumerate(rois):
            archive.writestr(f"{number}.roi", roi.tobytes())
    return path


def through(points, roitype, **more):
    roi = ImagejRoi.frompoints(np.array(points), name=more.pop("name", "n"))
    roi.roitype = roitype
    for key, value in more.items():
        setattr(roi, key, value)
    return roi


RECT = ImagejRoi(roitype=ROI_TYPE.RECT, left=1, top=2, right=4, bottom=3, name="rect", group=3)
PATH = [0, 0, 0, 1, 6, 0, 1, 6, 6, 1, 0, 6, 4, 0, 2, 2, 1, 2, 4, 1, 4, 4, 1, 4, 2, 4]
ROIS = {
    "rect": RECT,
    "subpixel": ImagejRoi(roitype=ROI_TYPE.RECT, options=ROI_OPTIONS.SUB_PIXEL_RESOLUTION, left=1, top=1, right=4, bottom=3, xd=1.5, yd=1.25, widthd=2, heightd=1.5, name="s"),
    "oval": ImagejRoi(roitype=ROI_TYPE.OVAL, left=0, top=0, right=8, bottom=6, name="oval"),
    "rounded": ImagejRoi(roitype=ROI_TYPE.RECT, left=0, top=0, right=8, bottom=6, rounded_rect_arc_size=4, name="r"),
    "polygon": through([[1, 1], [4, 1], [4, 4]], ROI_TYPE.POLYGON, z_position=3, t_position=2, stroke_color=b"\xff\x01\x02\x03"),
    "freehand": through([[1.5, 1.25], [4, 1], [4.75, 4]], ROI_TYPE.FREEHAND, props="class: Tumor\nscore: 0.5\nother: 1\n"),
    "traced": through([[1, 1], [4, 1], [4, 4]], ROI_TYPE.TRACED, position=5),
    "composite": ImagejRoi(roitype=ROI_TYPE.RECT, left=0, top=0, right=6, bottom=6, shape_roi_size=len(PATH), multi_coordinates=np.array(PATH, np.float32), name="c"),
    "points": through([[1, 2], [3, 4], [5, 0]], ROI_TYPE.POINT, counters=np.array([0, 1, 0], np.uint8)),
    "point": through([[1.5, 2.25]], ROI_TYPE.POINT),
    "line": ImagejRoi(roitype=ROI_TYPE.LINE, left=1, top=1, right=4, bottom=3, x1=1, y1=1, x2=4, y2=3, name="l"),
    "polyline": through([[1, 1], [4, 1], [4, 4]], ROI_TYPE.POLYLINE),
    "angle": through([[1, 1], [4, 1], [4, 4]], ROI_TYPE.ANGLE),
}  # fmt: skip


@pytest.mark.parametrize("name", ROIS)
def test_a_roi_survives_a_round_trip_to_the_byte(tmp_path, name):
    table = read_annotations(make_zip(tmp_path / "a.zip", ROIS[name]))
    write_rois(tmp_path / "b.zip", table)
    assert_frame_equal(read_annotations(tmp_path / "b.zip"), table)
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert [archive.read(one) for one in archive.namelist()] == [ROIS[name].tobytes()]


@pytest.mark.parametrize(
    ("name", "kind", "box"),
    [
        ("rect", "box", [2, 1, 3, 4]),
        ("subpixel", "box", [1.25, 1.5, 2.75, 3.5]),
        ("polygon", "polygon", [1, 1, 4, 4]),
        ("freehand", "polygon", [1, 1.5, 4, 4.75]),
        ("composite", "polygon", [0, 0, 6, 6]),
        ("point", "point", [2.75, 2, 2.75, 2]),
        ("line", "line", [1.5, 1.5, 3.5, 4.5]),
        ("polyline", "line", [1.5, 1.5, 4.5, 4.5]),
    ],
)
def test_areas_count_from_corners_and_lines_and_points_from_centres(tmp_path, name, kind, box):
    row = read_annotations(make_zip(tmp_path / "a.zip", ROIS[name])).iloc[0]
    assert row["kind"] == kind and row[["y0", "x0", "y1", "x1"]].tolist() == box


def test_a_roi_tells_class_score_plane_and_time(tmp_path):
    order = ("rect", "freehand", "polygon", "traced")
    table = read_annotations(make_zip(tmp_path / "a.zip", *(ROIS[name] for name in order)))
    assert table["class"].tolist() == ["group 3", "Tumor", "", ""]
    assert table["score"].tolist()[1] == 0.5
    assert table["z"].tolist() == [-1, -1, 2, 4] and table["t"].tolist() == [-1, -1, 1, -1]


def test_the_position_in_a_stack_of_times_is_a_time(tmp_path):
    path = make_zip(tmp_path / "a.zip", ROIS["traced"])
    table = read_annotations(path, shape=(6, 1, 9, 9))
    assert table["t"].tolist() == [4] and table["z"].tolist() == [-1]
    assert refused(path, shape=(1, 3, 9, 9))[0] == "ANNOTATION_FIT"


def test_a_multi_point_is_a_row_a_point_and_one_roi_again(tmp_path):
    table = read_annotations(make_zip(tmp_path / "a.zip", ROIS["points"], ROIS["point"]))
    assert table[["y0", "x0"]].to_numpy().tolist() == [[2.5, 1.5], [4.5, 3.5], [0.5, 5.5], [2.75, 2]]  # fmt: skip
    write_rois(tmp_path / "b.zip", table)
    assert len(zipfile.ZipFile(tmp_path / "b.zip").namelist()) == 2


def test_a_composite_has_its_hole_and_an_oval_its_pixels(tmp_path):
    table = read_annotations(make_zip(tmp_path / "a.zip", ROIS["composite"], ROIS["oval"]))
    hole = to_labels(table.iloc[:1], (6, 6))
    assert hole.sum() == 36 - 4 and not hole[2:4, 2:4].any()
    y, x = np.mgrid[:6, :8] + 0.5
    expected = ((x - 4) / 4) ** 2 + ((y - 3) / 3) ** 2 < 1
    assert (to_labels(table.iloc[1:], (6, 8)).astype(bool) == expected).all()


def test_a_single_roi_file_is_read(tmp_path):
    path = tmp_path / "cell 7.roi"
    path.write_bytes(ImagejRoi(roitype=ROI_TYPE.RECT, left=0, top=0, right=2, bottom=2).tobytes())
    assert read_annotations(path)["name"].tolist() == ["cell 7"]


def test_a_changed_row_is_written_changed(tmp_path):
    table = read_annotations(make_zip(tmp_path / "a.zip", ROIS["freehand"], ROIS["rect"]))
    table["class"] = ["Stroma", "group 7"]
    table["z"] = 1
    write_rois(tmp_path / "b.zip", table)
    again = read_annotations(tmp_path / "b.zip")
    assert again["class"].tolist() == ["Stroma", "group 7"] and again["z"].tolist() == [1, 1]
    roi = ImagejRoi.frombytes(zipfile.ZipFile(tmp_path / "b.zip").read("n.roi"))
    assert roi.props == "other: 1\nclass: Stroma\nscore: 0.5\n"


@pytest.mark.parametrize(
    "roi",
    [
        ImagejRoi(roitype=ROI_TYPE.RECT, subtype=ROI_SUBTYPE.TEXT, left=0, top=0, right=9, bottom=9, text="hi"),
        ImagejRoi(roitype=ROI_TYPE.RECT, left=4, top=2, right=4, bottom=3),
        ImagejRoi(roitype=ROI_TYPE.NOROI),
        through([[1, 1], [4, 1], [4, 4]], ROI_TYPE.POLYGON, options=ROI_OPTIONS.SPLINE_FIT),
        through([[1.0, 1], [np.nan, 1], [4, 4]], ROI_TYPE.POLYGON),
        ImagejRoi(roitype=ROI_TYPE.RECT, shape_roi_size=8, multi_coordinates=np.array([0, 0, 0, 2, 1, 1, 2, 2], np.float32)),
    ],
    ids=["text", "empty", "none", "spline", "nan", "curve"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
def test_a_roi_that_is_no_object_is_refused(tmp_path, roi):
    assert refused(make_zip(tmp_path / "a.zip", roi))[0] in ("ANNOTATION", "NONFINITE")


@slow(60)
@given(cut=st.integers(0, 120))
def test_a_roi_cut_short_is_refused_or_whole(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("cut") / "a.roi"
    path.write_bytes(ROIS["polygon"].tobytes()[: 4 + cut])
    try:
        assert len(read_annotations(path)) == 1
    except DataError as error:
        assert error.code == "ANNOTATION" and "a.roi" in str(error)


def test_a_roi_that_claims_more_than_it_has_is_refused(tmp_path):
    data = bytearray(ROIS["polygon"].tobytes())
    data[16:18] = struct.pack(">H", 60000)
    path = tmp_path / "a.roi"
    path.write_bytes(bytes(data))
    assert refused(path)[0] == "ANNOTATION"


def test_a_zip_bomb_stops_at_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(imagej, "MAX_ROI_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.roi", b"Iout" + bytes(100_000))
    assert refused(tmp_path / "a.zip")[0] == "TOO_LARGE"


def test_a_zip_from_a_mac_with_folders_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("set/", b"")
        archive.writestr("set/a.roi", ROIS["polygon"].tobytes())
        archive.writestr("__MACOSX/set/._a.roi", b"junk")
    assert read_annotations(tmp_path / "a.zip")["name"].tolist() == ["n"]


def test_a_damaged_zip_is_refused(tmp_path):
    path = make_zip(tmp_path / "a.zip", ROIS["polygon"])
    path.write_bytes(path.read_bytes()[:-40])
    code, message = refused(path)
    assert code == "ANNOTATION" and "zip is damaged" in message
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", b"hello")
    assert refused(tmp_path / "other.zip")[0] == "ANNOTATION"


@slow(40)
@given(st.lists(MASKS.filter(np.any), min_size=1, max_size=3))
def test_masks_written_as_outlines_keep_every_pixel(tmp_path_factory, several):
    folder = tmp_path_factory.mktemp("masks")
    table = make_table(mask_row(one, (2, 3 * n)) for n, one in enumerate(several))
    for path, write in ((folder / "a.geojson", write_geojson), (folder / "a.zip", write_rois)):
        write(path, table)
        again = read_annotations(path, shape=(1, 1, 20, 20))
        assert (again["kind"] == "polygon").all() and len(again) == len(table)
        for index in range(len(table)):
            ours, theirs = (to_labels(one.iloc[[index]], (20, 20)) for one in (table, again))
            assert (ours == theirs).all()
        write(path, again)
        assert_frame_equal(read_annotations(path), again)


def test_a_mask_with_depth_is_written_plane_by_plane(tmp_path):
    labels = np.zeros((3, 4, 4), np.uint32)
    labels[1:, 1:3, 1:3] = 1
    labels[2, 0, 0] = 1
    for path, write in ((tmp_path / "a.geojson", write_geojson), (tmp_path / "a.zip", write_rois)):
        write(path, from_labels(labels))
        again = read_annotations(path, shape=(1, 3, 4, 4))
        assert again["z"].tolist() == [1, 2]
        frame = at_time(again, 0)
        assert ((to_labels(frame, (3, 4, 4)) > 0) == (labels > 0)).all()


# --- COCO ---


def make_coco(path, *annotations, **image):
    images = [{"id": 5, "file_name": "folder/a.png", "height": 4, "width": 6, **image}, {"id": 6, "file_name": "b.png"}]  # fmt: skip
    rest = {"id": 1, "image_id": 5, "category_id": 2}
    return write_json(
        path,
        {
            "info": {},
            "images": images,
            "categories": [{"id": 2, "name": "cell"}],
            "annotations": [{**rest, **one} for one in annotations],
        },
    )


def encode_rle(mask):
    """As pycocotools does: runs down the columns, then differences to the last but one in 5 bits a character."""
    flat = mask.T.ravel().astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, len(flat)]).tolist()
    counts = counts if not len(flat) or flat[0] == 0 else [0, *counts]
    text = ""
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            bits, value = value & 0x1F, value >> 5
            more = value != (-1 if bits & 0x10 else 0)
            text += chr((bits | (0x20 if more else 0)) + 48)
    return counts, text


@slow(100)
@given(arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_run_lengths_are_decoded(mask):
    counts, text = encode_rle(mask)
    assert coco.decode_text(text) == counts
    rle = {"size": list(mask.shape), "counts": text}
    assert (coco.decode_rle(None, rle, {}, "") == mask).all()


def test_compressed_runs_are_those_of_pycocotools():
    # pycocotools.mask.encode of 9 x 10 pixels, rows 2-4 and columns 3-6
    mask = np.zeros((9, 10), bool)
    mask[2:5, 3:7] = True
    assert encode_rle(mask) == ([29, 3, 6, 3, 6, 3, 6, 3, 31], "m03600000i0")


def test_coco_is_read(tmp_path):
    mask = np.zeros((4, 6), bool)
    mask[1:3, 2:5] = True
    counts, text = encode_rle(mask)
    flat = np.ravel(SQUARE).tolist()
    path = make_coco(
        tmp_path / "a.json",
        {"segmentation": [flat], "bbox": [1, 1, 3, 3], "iscrowd": 0, "area": 9},
        {"segmentation": [flat, [4, 0, 6, 0, 6, 1]], "score": 0.5},
        {"segmentation": {"size": [4, 6], "counts": counts}, "iscrowd": 1},
        {"segmentation": {"size": [4, 6], "counts": text}, "iscrowd": 1},
        {"bbox": [0.5, 1, 2, 2.5], "segmentation": []},
        {"image_id": 6, "bbox": [0, 0, 1, 1]},
    )
    table = read_annotations(path, image=["a.png"], shape=(1, 1, 4, 6))
    assert table["kind"].tolist() == ["polygon", "polygon", "mask", "mask", "box"]
    assert set(table["class"]) == {"cell"} and table["score"].tolist()[1] == 0.5
    assert (to_labels(table.iloc[[2]], (4, 6)) > 0).tolist() == mask.tolist()
    assert (to_labels(table.iloc[[3]], (4, 6)) > 0).tolist() == mask.tolist()
    assert table.loc[4, ["y0", "x0", "y1", "x1"]].tolist() == [1, 0.5, 3.5, 2.5]
    assert json.loads(table.loc[0, "properties"])["coco"] == {"area": 9, "category_id": 2, "id": 1, "iscrowd": 0}  # fmt: skip
    assert len(read_annotations(path, image=["b"])) == 1


def test_an_image_that_coco_lists_without_objects_is_empty_and_another_is_skipped(tmp_path):
    path = make_coco(tmp_path / "a.json")
    assert read_annotations(path, image=["b.png"]).empty
    with pytest.raises(Skip) as caught:
        read_annotations(path, image=["c.png"])
    assert caught.value.code == "NO_ANNOTATION"


@pytest.mark.parametrize(
    ("annotation", "code"),
    [
        ({"segmentation": {"size": [4, 6], "counts": [20, 3]}}, "ANNOTATION"),
        ({"segmentation": {"size": [4, 6], "counts": [30, -6]}}, "ANNOTATION"),
        ({"segmentation": {"size": [400000, 600000], "counts": [1]}}, "ANNOTATION_FIT"),
        ({"segmentation": {"size": [4, 6], "counts": "\u00ff"}}, "ANNOTATION"),
        ({"segmentation": [[1, 2, 3]]}, "ANNOTATION"),
        ({"segmentation": [[1, 2, 3, float("inf"), 5, 6]]}, "NONFINITE"),
        ({"category_id": 9, "bbox": [0, 0, 1, 1]}, "ANNOTATION"),
        ({"bbox": [0, 0, -1, 1]}, "ANNOTATION"),
        ({}, "ANNOTATION"),
    ],
)
def test_a_damaged_coco_annotation_is_refused(tmp_path, annotation, code):
    assert refused(make_coco(tmp_path / "a.json", annotation), image=["a"])[0] == code


def test_a_coco_image_of_another_size_is_refused(tmp_path):
    path = make_coco(tmp_path / "a.json", {"bbox": [0, 0, 1, 1]})
    assert refused(path, image=["a"], shape=(1, 1, 8, 12))[0] == "ANNOTATION_FIT"


# --- VOC ---

VOC = """<annotation><filename>a.jpg</filename><source><database>{source}</database></source>
<size><width>40</width><height>30</height><depth>3</depth></size>
<object><name>RBC</name><difficult>1</difficult><bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin><xmax>{box[2]}</xmax>
<ymax>{box[3]}</ymax></bndbox></object></annotation>"""


def write_voc(path, box, source="The VOC2007 Database", head=""):
    path.write_text(head + VOC.format(box=box, source=source))
    return path


@pytest.mark.parametrize(
    ("source", "box", "expected"),
    [
        ("The VOC2007 Database", (1, 1, 40, 30), [0, 0, 30, 40]),
        ("The VOC2007 Database", (5, 6, 10, 12), [5, 4, 12, 10]),
        ("Unknown", (1, 1, 40, 30), [0, 0, 30, 40]),
        ("Unknown", (5, 6, 10, 12), [6, 5, 12, 10]),
    ],
)
def test_voc_counts_from_one_and_labelimg_from_zero(tmp_path, source, box, expected):
    table = read_annotations(write_voc(tmp_path / "a.xml", box, source), shape=(1, 1, 30, 40))
    assert boxes(table).tolist() == [expected]
    assert table["class"].tolist() == ["RBC"] and table["kind"].tolist() == ["box"]
    kept = json.loads(table.loc[0, "properties"])["voc"]
    assert kept["difficult"] == "1" and kept["bndbox"]["xmax"] == str(box[2])


@pytest.mark.parametrize(
    ("box", "code"),
    [
        ((0, 5, 10, 12), "ANNOTATION_FIT"),
        ((5, 6, 41, 12), "ANNOTATION_FIT"),
        ((5, 6, 10, 31), "ANNOTATION_FIT"),
        ((10, 6, 5, 12), "ANNOTATION"),
        ((5, 6, 5, 12), "ANNOTATION"),
        ((5, 6, "nan", 12), "ANNOTATION"),
        ((5, 6, "", 12), "ANNOTATION"),
    ],
)
def test_a_box_outside_or_inverted_is_refused_with_its_object(tmp_path, box, code):
    found, message = refused(write_voc(tmp_path / "a.xml", box))
    assert found == code and "object 1 (RBC)" in message


def test_a_voc_file_of_another_image_is_refused(tmp_path):
    path = write_voc(tmp_path / "a.xml", (5, 6, 10, 12))
    assert refused(path, shape=(1, 1, 60, 80))[0] == "ANNOTATION_FIT"


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY x "xxxxxxxx">]>',
        "<unclosed>",
    ],
)
def test_xml_with_entities_or_damage_is_refused(tmp_path, head):
    assert refused(write_voc(tmp_path / "a.xml", (5, 6, 10, 12), head=head))[0] == "ANNOTATION"


# --- pictures ---

LABELS = np.array([[0, 3, 3], [1, 0, 3]], np.uint16)


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_a_label_image_is_read(tmp_path, name):
    save(tmp_path / name, LABELS)
    table = read_annotations(tmp_path / name, shape=(1, 1, 2, 3))
    assert table["label"].tolist() == [1, 3]
    assert (to_labels(table, (2, 3)) == LABELS).all()


def save(path, pixels, **more):
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, **more)
    else:
        Image.fromarray(pixels).save(path)
    return path


def test_a_palette_picture_is_its_numbers_not_its_colours(tmp_path):
    picture = Image.fromarray(LABELS.astype(np.uint8), "P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.save(tmp_path / "a.png")
    assert read_annotations(tmp_path / "a.png")["label"].tolist() == [1, 3]


@pytest.mark.parametrize("axes", ["ZYX", "TYX"])
def test_a_stack_is_of_planes_or_times_as_the_image_is(tmp_path, axes):
    stack = np.stack([LABELS, LABELS, 0 * LABELS])
    path = save(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": axes})
    deep = read_annotations(path, shape=(1, 3, 2, 3))
    assert deep["label"].tolist() == [1, 3] and deep["z"].tolist() == [0, 0]
    assert (to_labels(deep, (3, 2, 3)) == stack).all()
    timed = read_annotations(path, shape=(3, 1, 2, 3))
    assert timed["t"].tolist() == [0, 0, 1, 1] and timed["label"].tolist() == [1, 3, 4, 6]
    assert json.loads(timed.loc[3, "properties"]) == {"labels": {"label": 3}}
    for t, expected in enumerate(stack):
        assert ((to_labels(at_time(timed, t), (2, 3)) > 0) == (expected > 0)).all()


@pytest.mark.parametrize("shape", [(1, 1, 3, 2), (1, 1, 4, 6), (1, 2, 2, 3), (2, 1, 2, 3)])
def test_a_label_image_of_another_size_names_both(tmp_path, shape):
    code, message = refused(save(tmp_path / "a.tif", LABELS), shape=shape)
    assert code == "ANNOTATION_FIT" and "3 x 2" in message and f"{shape[3]} x {shape[2]}" in message


def test_a_class_image_is_one_row_a_class(tmp_path):
    path = save(tmp_path / "a.tif", LABELS)
    table = read_annotations(path, "classes", classes=["x", "y", "z"])
    assert table["class"].tolist() == ["x", "z"]
    assert (to_classes(table, (2, 3), ["x", "y", "z"]) == LABELS).all()
    assert read_annotations(path, "classes")["class"].tolist() == ["1", "3"]
    assert refused(path, "classes", classes=["x", "y"])[0] == "ANNOTATION"


def test_a_mask_is_its_parts_or_one_object(tmp_path):
    mask = np.array([[255, 0, 255], [0, 255, 0], [0, 0, 0], [255, 0, 0]], np.uint8)
    path = save(tmp_path / "a.png", mask)
    parts = read_annotations(path, "mask")
    assert to_labels(parts, (4, 3)).tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0], [2, 0, 0]]
    assert len(read_annotations(path, "mask", components=False)) == 1


def test_a_mask_is_not_taken_for_labels_unless_told_to(tmp_path):
    path = save(tmp_path / "a.png", np.array([[255, 0, 255]], np.uint8))
    code, message = refused(path)
    assert code == "ANNOTATION" and "mask" in message
    assert read_annotations(path, "labels")["label"].tolist() == [255]
    one_part = save(tmp_path / "b.png", np.array([[1, 1, 0]], np.uint8))
    assert read_annotations(one_part)["label"].tolist() == [1]


@pytest.mark.parametrize(
    ("pixels", "suffix"),
    [
        (np.array([[0.5, 1]], np.float32), ".tif"),
        (np.array([[np.nan, 1]], np.float32), ".tif"),
        (np.array([[-1, 1]], np.int16), ".tif"),
        (np.zeros((4, 4, 3), np.uint8), ".png"),
        (np.zeros((8, 8), np.uint8), ".jpg"),
    ],
    ids=["fraction", "nan", "negative", "colour", "jpeg"],
)
def test_pixels_that_are_no_numbers_of_objects_are_refused(tmp_path, pixels, suffix):
    assert refused(save(tmp_path / f"a{suffix}", pixels))[0] == "ANNOTATION"


def test_whole_numbers_in_floats_will_do(tmp_path):
    path = save(tmp_path / "a.tif", LABELS.astype(np.float32))
    assert read_annotations(path)["label"].tolist() == [1, 3]


# --- any file ---


@pytest.mark.parametrize("content", [b"hello", b"\0" * 100, b"<html>", b"%PDF"])  # fmt: skip
def test_an_unknown_file_is_refused(tmp_path, content):
    path = tmp_path / "a.dat"
    path.write_bytes(content)
    code, message = refused(path)
    assert code == "ANNOTATION" and "GeoJSON" in message


@pytest.mark.parametrize("kind", ["geojson", "coco", "voc", "imagej", "labels", "classes", "mask"])
def test_a_file_that_is_not_what_it_is_said_to_be_is_refused(tmp_path, kind):
    path = tmp_path / "a.dat"
    path.write_bytes(b"hello, this is none of them")
    assert refused(path, kind)[0] in ("ANNOTATION", "FORMAT")


def test_a_missing_empty_or_odd_path_is_refused(tmp_path):
    (tmp_path / "empty.json").write_bytes(b"")
    assert refused(tmp_path / "none.json")[0] == "MISSING"
    assert refused(tmp_path / "empty.json")[0] == "EMPTY"
    assert refused(tmp_path)[0] == "NOT_A_FILE"
    with pytest.raises(ValueError, match="unknown format"):
        read_annotations(tmp_path / "empty.json", "yolo")


def test_a_table_keeps_its_types():
    table = make_table([box_row(0, 0, 1, 1)])
    assert table.dtypes.astype(str).to_dict()["label"] == "uint32"
    assert pd.api.types.is_float_dtype(table["score"]) and table["properties"].tolist() == ["{}"]


@pytest.mark.parametrize(
    ("separator", "x", "y", "pixels"),
    [
        ("\t", "1,3,3,1", "1,1,2,2", [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]),
        (",", '"2"', '"1"', [(1, 2)]),
        (",", '"0,2"', '"3,3"', [(3, 0), (3, 1), (3, 2)]),
        (",", '"0,1,0"', '"0,1,2"', [(0, 0), (1, 0), (1, 1), (2, 0)]),
    ],
)
def test_contours_go_through_the_outermost_pixels(tmp_path, separator, x, y, pixels):
    path = tmp_path / "a.tsv"
    rows = [["group", "coords_x", "coords_y"], ["tumour", x, y]]
    path.write_text("".join(separator.join(row) + "\n" for row in rows))
    table = read_annotations(path)
    assert table["class"].tolist() == ["tumour"]
    assert np.argwhere(to_labels(table, (5, 6))).tolist() == [list(one) for one in pixels]


@pytest.mark.parametrize(
    ("x", "y", "message"), [("1,a", "1,2", "no numbers"), ("1,2", "1", "2 x and 1 y coordinates")]
)
def test_damaged_contours_are_refused(tmp_path, x, y, message):
    path = tmp_path / "a.tsv"
    path.write_text(f"group\tcoords_x\tcoords_y\nt\t{x}\t{y}\n")
    with pytest.raises(DataError, match=message):
        read_annotations(path)
