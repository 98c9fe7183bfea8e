"""Tracing: outlines of many objects at once are valid, follow the pixels, and do not depend on blocks."""

import json

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scopemill.annotations import corners, raster, texts, tracing

SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))
LABELS = arrays(np.uint32, SIZES, elements=st.sampled_from([0, 0, 1, 2, 2**32 - 1]))


def trace_all(labels):
    """Label -> shape, of all parts that come."""
    parts = tracing.trace_image(lambda y, x: labels[y, x], labels.shape)
    pairs = [pair for one in parts for pair in zip(one.numbers.tolist(), one.shapes(), strict=True)]
    assert len(pairs) == len(dict(pairs)), "an object came twice"
    return dict(pairs)


def corners_of(shape):
    """Corners of its rings in (x, y), each ring from its first corner."""
    return [shapely.get_coordinates(ring)[:-1].astype(int).tolist() for one in shapely.get_parts(shape) for ring in [one.exterior, *one.interiors]]  # fmt: skip


def test_an_l_shape_has_six_corners():
    labels = np.array([[5, 0], [5, 0], [5, 5]], np.uint8)
    assert corners_of(trace_all(labels)[5]) == [[[0, 0], [1, 0], [1, 2], [2, 2], [2, 3], [0, 3]]]


def test_a_hole_and_an_island_in_it():
    labels = np.ones((5, 5), np.uint8)
    labels[1:4, 1:4] = 0
    labels[2, 2] = 1
    shape = trace_all(labels)[1]
    assert [len(one.interiors) for one in shapely.get_parts(shape)] == [1, 0]
    assert shape.area == 17 and shape.is_valid


def test_parts_that_touch_at_a_corner_are_two_polygons():
    shape = trace_all(np.array([[1, 0], [0, 1]], np.uint8))[1]
    assert [one.area for one in shapely.get_parts(shape)] == [1, 1]


def test_a_ring_that_touches_itself_becomes_an_outline_with_a_hole():
    labels = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], np.uint8)
    (polygon,) = shapely.get_parts(trace_all(labels)[1])
    assert polygon.is_valid and polygon.area == 7 and len(polygon.interiors) == 1


def test_neighbours_share_their_edge():
    shapes = trace_all(np.array([[1, 1, 2, 2]], np.uint16))
    assert shapes[1].bounds == (0, 0, 2, 1) and shapes[2].bounds == (2, 0, 4, 1)


@settings(max_examples=200, deadline=None)
@given(LABELS, st.integers(1, 14), st.integers(1, 14))
def test_filling_the_outlines_gives_the_labels_whatever_the_blocks(labels, strip, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corners, "STRIP_PX", strip)
        patch.setattr(corners, "BLOCK_PX", block)
        shapes = trace_all(labels)
    again = np.zeros_like(labels)
    for label, shape in shapes.items():
        assert shape.is_valid and shape.area == (labels == label).sum()
        again[raster.fill(shape, 0, 0, *labels.shape)] = label
    assert (again == labels).all()


def test_an_image_without_objects_has_no_outlines():
    assert trace_all(np.zeros((3, 4), np.uint32)) == {}


def test_every_pixel_is_read_once_a_pass(monkeypatch):
    monkeypatch.setattr(corners, "STRIP_PX", 3)
    monkeypatch.setattr(corners, "BLOCK_PX", 4)
    labels, asked = np.ones((7, 9), np.uint8), np.zeros((7, 9), int)

    def read(y, x):
        asked[y, x] += 1
        return labels[y, x]

    list(corners.scan(read, labels.shape))
    assert (asked == 1).all()


def test_geometries_are_written_as_geojson():
    labels = np.array([[1, 0, 2], [0, 1, 2]], np.uint8)
    (outlines,) = tracing.trace_image(lambda y, x: labels[y, x], labels.shape)
    first, second = (json.loads(one + "}") for one in texts.write_geometries(outlines).to_pylist())
    assert first == {
        "type": "MultiPolygon",
        "coordinates": [
            [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]],
            [[[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]],
        ],
    }
    assert second["type"] == "Polygon"
    assert second["coordinates"] == [[[2, 0], [3, 0], [3, 2], [2, 2], [2, 0]]]


def test_numbers_have_seven_digits_and_none_is_left_out():
    columns = {
        "a": texts.number_texts(np.array([1 / 3, np.nan, 1e-12, -123456789.0])),
        'b "': texts.number_texts(np.array([2**53 + 1, 2, 3, 4])),
        "c": texts.number_texts(np.array([True, False, True, True]), np.array([1, 1, 1, 0], bool)),
    }
    rows = [json.loads(one) for one in texts.write_object(columns).to_pylist()]
    assert rows[0] == {"a": 0.3333333, 'b "': 2**53 + 1, "c": 1}
    assert rows[1] == {'b "': 2, "c": 0}
    assert rows[2]["a"] == 1e-12 and rows[3] == {"a": -123456800, 'b "': 4}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_any_number_is_valid_json_and_close(values):
    found = [json.loads(one) for one in texts.number_texts(np.array(values)).to_pylist()]
    assert found == pytest.approx(values, rel=1e-6, abs=1e-290)
