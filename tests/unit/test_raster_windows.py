"""Raster by windows: a slide's annotations drawn window by window are those drawn at once."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from scopemill.annotations.table import box_row, make_table, mask_row, outline_row
from scopemill.annotations.table import to_classes as draw_classes
from scopemill.annotations.table import to_labels as draw_labels

SHAPE = (13, 17)
TILE = 5


def stitch(draw, shape, dtype):
    """Windows of TILE pixels, put side by side."""
    whole = np.zeros(shape, dtype)
    for y in range(0, shape[-2], TILE):
        for x in range(0, shape[-1], TILE):
            window = slice(y, y + TILE), slice(x, x + TILE)
            whole[..., window[0], window[1]] = draw(window)
    return whole


@st.composite
def annotations(draw):
    """Polygons with a hole, boxes and masks that may lie over each other and over the border."""
    rows = []
    for number in range(draw(st.integers(0, 6))):
        y, x = (draw(st.floats(-4, 15)) for _ in range(2))
        height, width = (draw(st.floats(0.2, 9)) for _ in range(2))
        more = {"class": draw(st.sampled_from(["a", "b", "c"])), "label": number + 1}
        kind = draw(st.sampled_from(["polygon", "box", "mask"]))
        if kind == "polygon":
            hole = shapely.box(x + width / 3, y + height / 3, x + width / 2, y + height / 2)
            outline = shapely.Polygon([(x, y), (x + width, y + 1), (x + 1, y + height)]) - hole
            rows += [] if outline.is_empty else [outline_row("polygon", outline, **more)]
        elif kind == "box":
            rows.append(box_row(y, x, y + height, x + width, **more))
        else:
            seed = np.random.default_rng(number)
            mask = seed.random((int(np.ceil(height)), int(np.ceil(width)))) > 0.4
            rows.append(mask_row(mask, (int(y), int(x)), **more))
    return make_table(rows)


@settings(max_examples=150, deadline=None)
@given(annotations())
def test_windows_put_together_are_the_image_drawn_at_once(table):
    labels = stitch(lambda window: draw_labels(table, SHAPE, window), SHAPE, np.uint32)
    np.testing.assert_array_equal(labels, draw_labels(table, SHAPE))
    names = ["b", "a"]
    classes = stitch(lambda window: draw_classes(table, SHAPE, names, window), SHAPE, np.uint8)
    np.testing.assert_array_equal(classes, draw_classes(table, SHAPE, names))


def test_a_window_of_a_stack_has_all_its_planes():
    table = make_table([box_row(1, 1, 3, 4, z=1), box_row(2, 3, 3, 6)])
    drawn = draw_labels(table, (2, 4, 6), (slice(2, 4), slice(2, 5)))
    assert drawn.tolist() == [[[0, 2, 2], [0, 0, 0]], [[1, 2, 2], [0, 0, 0]]]


def test_a_window_is_clipped_to_the_image():
    table = make_table([box_row(0, 0, 99, 99)])
    assert draw_labels(table, (4, 4), (slice(3, 99), slice(1, 3))).tolist() == [[1, 1]]
    assert draw_labels(table, (4, 4), (slice(9, 12), slice(0, 4))).shape == (0, 4)


def test_what_lies_outside_the_window_does_not_cost():
    """A broken row elsewhere is not even looked at."""
    broken = {"geometry": b"no polygon", "kind": "polygon", "y0": 50, "x0": 50, "y1": 60, "x1": 60}
    table = make_table([box_row(0, 0, 2, 2), broken])
    assert draw_labels(table, (99, 99), (slice(0, 2), slice(0, 3))).tolist() == [[1, 1, 0]] * 2
    with pytest.raises(shapely.errors.GEOSException):
        draw_labels(table, (99, 99))
