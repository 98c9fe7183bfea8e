"""Targets: labels typed by hand -> the maps that a network learns, value by value."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scopemill.train.targets import HEADS, make_targets


def targets(rows, *heads):
    """Rows of one plane -> one map a head, (Y, X) each."""
    maps = make_targets(np.array(rows)[None], heads)
    assert maps.dtype == np.float32
    return maps[:, 0]


def test_foreground_is_every_object():
    (foreground,) = targets([[0, 1, 1], [0, 0, 2]], "foreground")
    assert foreground.tolist() == [[0, 1, 1], [0, 0, 1]]


def test_a_border_lies_where_two_objects_are_within_two_pixels():
    row = [1, 1, 1, 1, 0, 2, 2, 2, 2]
    (border,) = targets([row], "border")
    assert border.tolist() == [[0, 0, 0, 1, 1, 1, 0, 0, 0]]


def test_objects_that_touch_have_a_border_of_two_pixels_each():
    (border,) = targets([[1, 1, 1, 1, 2, 2, 2, 2]], "border")
    assert border.tolist() == [[0, 0, 1, 1, 1, 1, 0, 0]]


def test_an_object_alone_has_no_border():
    (border,) = targets([[0, 1, 1, 0, 0, 0, 0, 2]], "border")
    assert border.sum() == 0


def test_an_id_that_repeats_elsewhere_is_another_object():
    (border,) = targets([[7, 7, 7, 0, 7, 7, 7]], "border")
    assert border.tolist() == [[0, 0, 1, 1, 1, 0, 0]]


def test_distance_is_one_where_an_object_is_deepest_however_large_it_is():
    rows = np.zeros((7, 12), int)
    rows[1:6, 1:6] = 1
    rows[1:4, 8:11] = 2
    (distance,) = targets(rows, "distance")
    assert distance[3, 1:6].tolist() == pytest.approx([1 / 3, 2 / 3, 1, 2 / 3, 1 / 3])
    assert distance[2, 8:11].tolist() == pytest.approx([0.5, 1, 0.5])
    assert distance[rows == 0].max() == 0


def test_an_object_cut_by_the_edge_goes_on_behind_it():
    (distance,) = targets([[1, 1, 1, 0]] * 5, "distance")
    assert distance[2].tolist() == pytest.approx([1, 2 / 3, 1 / 3, 0])


def test_flow_points_to_the_centre_and_is_a_half_where_it_points_nowhere():
    rows = np.zeros((5, 5), int)
    rows[1:4, 1:4] = 1
    flow_y, flow_x = targets(rows, "flow_y", "flow_x")
    assert flow_y[1:4, 2].tolist() == [1, 0.5, 0]  # from above: downwards
    assert flow_x[2, 1:4].tolist() == [1, 0.5, 0]
    diagonal = 0.5 + 0.5 / np.sqrt(2)
    assert flow_y[1, 1] == pytest.approx(diagonal) and flow_x[1, 1] == pytest.approx(diagonal)
    assert (flow_y[rows == 0] == 0.5).all() and (flow_x[rows == 0] == 0.5).all()


def test_in_a_stack_depth_counts_planes_and_borders_are_sought_in_the_plane():
    stack = np.zeros((5, 5, 6), int)
    stack[:, :, :] = 0
    stack[1:4, 1:4, 1:4] = 1
    foreground, border, distance = make_targets(stack, ("foreground", "border", "distance"))
    assert foreground.shape == (5, 5, 6) and foreground.sum() == 27 and border.sum() == 0
    assert distance[2, 2, 2] == 1 and distance[1, 2, 2] == pytest.approx(0.5)
    stack[4, 1:4, 1:4] = 2  # above the first: no border in the plane
    assert make_targets(stack, ("border",)).sum() == 0


def test_planes_far_apart_are_far_apart():
    stack = np.zeros((5, 9, 9), int)
    stack[1:4, 1:8, 1:8] = 1
    near = make_targets(stack, ("distance",))
    far = make_targets(stack, ("distance",), spacing=(4.0, 1.0, 1.0))
    assert near[0, 2, 4, 4] == far[0, 2, 4, 4] == 1
    assert near[0, 2, 2, 4] == 1  # the outline nearest to it is a plane above
    assert far[0, 2, 2, 4] == pytest.approx(0.5)  # it is a side, a pixel away


def test_an_object_that_fills_the_crop_is_as_deep_everywhere():
    (distance,) = targets([[3] * 6] * 5, "distance")
    assert (distance == 1).all()


def test_the_order_of_the_heads_is_that_which_was_asked_for():
    rows = [[1, 1, 0, 2, 2]]
    first, second = targets(rows, "border", "foreground")
    assert first.tolist() == targets(rows, "border")[0].tolist()
    assert second.tolist() == [[1, 1, 0, 1, 1]]


@settings(max_examples=40, deadline=None)
@given(arrays(np.int32, (1, 9, 11), elements=st.integers(0, 3)))
def test_maps_are_between_zero_and_one_and_nothing_lies_outside_of_objects(labels):
    maps = dict(zip(HEADS, make_targets(labels, HEADS), strict=True))
    for one in maps.values():
        assert np.isfinite(one).all() and one.min() >= 0 and one.max() <= 1
    assert ((maps["foreground"] > 0) == (labels > 0)).all()
    assert ((maps["distance"] > 0) == (labels > 0)).all()


@settings(max_examples=20, deadline=None)
@given(arrays(np.int32, (1, 8, 8), elements=st.integers(0, 2)))
def test_a_mirrored_crop_has_mirrored_maps(labels):
    maps, mirrored = (make_targets(one, HEADS) for one in (labels, labels[..., ::-1]))
    for i, head in enumerate(HEADS):
        expected = maps[i][..., ::-1]
        expected = 1 - expected if head == "flow_x" else expected
        np.testing.assert_allclose(mirrored[i], expected, atol=1e-6)
