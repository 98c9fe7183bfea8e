"""Kernels that cut objects out of maps: the same as scipy and scikit-image, voxel by voxel, ties included."""

import numpy as np
import pytest
from benchmarks.suite.instances import find_by_libraries, mark_peaks, seed_all_parts
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.segmentation import watershed

from scopemill.hills import fill_hills, fill_parts, find_depth, find_peaks
from scopemill.instances import Settings, drop_small, find_instances
from scopemill.kernels.distance import measure_depth
from scopemill.kernels.smoothing import smooth
from scopemill.kernels.watershed import flood

SHAPES = st.one_of(
    st.tuples(st.integers(1, 18), st.integers(1, 18)),
    st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 7)),
)
LEVELS = st.sampled_from([1, 2, 3, 30, 1000])  # few heights make ties


def draw(shape, seed, n_levels, filled=0.8):
    """Heights and a mask."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, n_levels, shape).astype(np.float32), rng.random(shape) < filled


def expect(height, seeds, mask):
    return watershed(-height, seed_all_parts(seeds, mask), mask=mask)


def by_kernel(height, seeds, mask):
    """Labels, and whether the kernel dared to give them."""
    shape = (1, *height.shape)[-3:]
    labels = seeds.astype(np.uint32).reshape(shape)
    parts = ndimage.label(mask)[0].reshape(shape)
    clear = flood(height.reshape(shape), labels, parts)
    return labels.reshape(height.shape), clear


@settings(max_examples=200, deadline=None)
@given(SHAPES, st.integers(0, 2**32 - 1), LEVELS, st.integers(0, 6), st.sampled_from([0.5, 0.8, 1]))
def test_single_seeds_are_flooded_as_by_scikit_image(shape, seed, n_levels, n_seeds, filled):
    height, mask = draw(shape, seed, n_levels, filled)
    at = tuple(np.random.default_rng(seed).integers(0, n, n_seeds) for n in shape)
    seeds = np.zeros(shape, np.int32)
    seeds[at] = np.arange(1, n_seeds + 1)
    seeds *= mask
    found, clear = by_kernel(height, seeds, mask)
    if clear:
        np.testing.assert_array_equal(found, expect(height, seeds, mask))
    np.testing.assert_array_equal(fill_parts(height, seeds, mask), expect(height, seeds, mask))


@settings(max_examples=100, deadline=None)
@given(SHAPES, st.integers(0, 2**32 - 1), LEVELS, st.integers(0, 6))
def test_without_seeds_parts_stay_empty_where_that_is_wanted(shape, seed, n_levels, n_seeds):
    height, mask = draw(shape, seed, n_levels, 0.5)
    at = tuple(np.random.default_rng(seed).integers(0, n, n_seeds) for n in shape)
    seeds = np.zeros(shape, np.int32)
    seeds[at] = np.arange(1, n_seeds + 1)
    expected = watershed(-height, seeds, mask=mask)
    np.testing.assert_array_equal(fill_hills(height, seeds, mask), expected)


@settings(max_examples=100, deadline=None)
@given(SHAPES, st.integers(0, 2**32 - 1), st.sampled_from([3, 30]))
def test_broad_seeds_are_flooded_as_by_scikit_image(shape, seed, n_levels):
    height, mask = draw(shape, seed, n_levels)
    seeds = ndimage.label(mask & (height > 0.6 * height.max()))[0]
    found, clear = by_kernel(height, seeds, mask)
    if clear:
        np.testing.assert_array_equal(found, expect(height, seeds, mask))
    np.testing.assert_array_equal(fill_parts(height, seeds, mask), expect(height, seeds, mask))


def test_heights_without_ties_never_need_scikit_image():
    rng = np.random.default_rng(0)
    height = rng.permutation(4000).reshape(50, 80).astype(np.float32)
    seeds = ndimage.label(height > 3600)[0]
    found, clear = by_kernel(height, seeds, height > 800)
    assert clear
    np.testing.assert_array_equal(found, expect(height, seeds, height > 800))


def test_a_pixel_between_equal_seeds_is_left_to_scikit_image():
    height, mask = np.array([[2, 1, 2]], np.float32), np.ones((1, 3), bool)
    assert not by_kernel(height, np.array([[1, 0, 2]]), mask)[1]
    assert by_kernel(height, np.array([[1, 0, 1]]), mask)[1]
    assert by_kernel(np.array([[2, 1, 3]]), np.array([[1, 0, 2]]), mask)[0].tolist() == [[1, 2, 2]]


def test_equals_two_steps_from_equal_seeds_are_left_to_scikit_image_too():
    height, mask = np.array([[3, 2, 1, 2, 3]], np.float32), np.ones((1, 5), bool)
    assert not by_kernel(height, np.array([[1, 0, 0, 0, 2]]), mask)[1]
    height[0, 1] = 2.5
    assert by_kernel(height, np.array([[1, 0, 0, 0, 2]]), mask)[0].tolist() == [[1, 1, 1, 2, 2]]


def test_a_row_does_not_go_on_in_the_next():
    mask = np.array([[0, 0, 1], [1, 0, 0]], bool)
    assert by_kernel(np.ones((2, 3)), np.array([[0, 0, 1], [0, 0, 0]]), mask)[0].tolist() == [
        [0, 0, 1],
        [2, 0, 0],
    ]


def test_water_that_rose_over_a_ridge_stays_as_high():
    # behind the ridge (1) the valley is deep, but who came there first goes on first
    height = np.array([[9, 1, 8, 5, 2, 9]], np.float32)
    seeds = np.array([[1, 0, 0, 0, 0, 2]])
    found, _ = by_kernel(height, seeds, np.ones((1, 6), bool))
    assert found.tolist() == expect(height, seeds, np.ones((1, 6), bool)).tolist()
    assert found.tolist() == [[1, 1, 2, 2, 2, 2]]


@settings(max_examples=200, deadline=None)
@given(SHAPES, st.integers(0, 2**32 - 1), LEVELS, st.sampled_from([0.3, 0.6, 0.95, 1]), st.data())
def test_peaks_are_those_of_scikit_image(shape, seed, n_levels, filled, data):
    height, mask = draw(shape, seed, n_levels, filled)
    distance = data.draw(st.lists(st.floats(0.5, 5), min_size=len(shape), max_size=len(shape)))
    parts = ndimage.label(mask)[0]
    expected = mark_peaks(height, parts, distance)
    np.testing.assert_array_equal(find_peaks(height, parts, distance), expected)
    smooth = ndimage.gaussian_filter(height.astype(np.float64), 1)
    expected = mark_peaks(smooth, parts, distance)
    np.testing.assert_array_equal(find_peaks(smooth, parts, distance), expected)


def test_a_flat_part_has_its_peaks_where_an_opening_would_cut_it():
    parts, height = np.zeros((5, 7), np.int32), np.zeros((5, 7))
    parts[:, 1:6] = 1
    height[parts > 0] = 1.0
    found = np.argwhere(find_peaks(height, parts, (1, 1)))
    assert found.tolist() == [[0, 1], [0, 5], [4, 1], [4, 5]]


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.1, 0.5, 0.9, 0.99, 0.999]),
)
def test_distances_are_those_of_scipy(height, width, seed, filled):
    mask = np.random.default_rng(seed).random((height, width)) < filled
    assume(not mask.all())
    np.testing.assert_array_equal(measure_depth(mask), ndimage.distance_transform_edt(mask))


@settings(max_examples=100, deadline=None)
@given(SHAPES, st.integers(0, 2**32 - 1), st.sampled_from([0.5, 0.9, 1]), st.data())
def test_distances_in_micrometres_are_those_of_scipy(shape, seed, filled, data):
    mask = np.random.default_rng(seed).random(shape) < filled
    steps = st.sampled_from([1.0, 0.325, 0.65, 2.7])
    spacing = data.draw(st.lists(steps, min_size=len(shape), max_size=len(shape)))
    expected = ndimage.distance_transform_edt(mask, sampling=spacing)
    np.testing.assert_array_equal(find_depth(mask, spacing), expected)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0.2, 6))
def test_smoothing_is_that_of_scipy(height, width, seed, sigma):
    image = np.random.default_rng(seed).random((height, width)).astype(np.float32)
    np.testing.assert_array_equal(smooth(image, sigma), ndimage.gaussian_filter(image, sigma))


def test_distances_of_a_few_pixels():
    mask = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 1]], bool)
    assert measure_depth(mask).tolist()[3] == [0, 1, 2, 3]
    assert measure_depth(mask)[0, 3] == np.sqrt(18)


def test_objects_are_dropped_by_area_and_by_doubt_and_numbered_in_their_order():
    labels = np.array([[4, 4, 0, 2, 2], [9, 0, 7, 7, 7]])
    foreground = np.array([[0.9, 0.7, 0.1, 0.6, 0.7], [1.0, 0.1, 0.9, 0.9, 0.9]])
    assert drop_small(labels, 2).tolist() == [[2, 2, 0, 1, 1], [0, 0, 3, 3, 3]]
    assert drop_small(labels, 0, foreground, 0.8).tolist() == [[1, 1, 0, 0, 0], [3, 0, 2, 2, 2]]
    assert drop_small(np.zeros((0, 3), np.int64), 1).shape == (0, 3)


@pytest.mark.parametrize("kind", ["border", "distance", "shape"])
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(40, 47), (9, 20, 22)]), st.booleans())
def test_objects_are_those_of_the_libraries(kind, seed, shape, coarse):
    rng = np.random.default_rng(seed)
    smooth = [ndimage.gaussian_filter(rng.random(shape), 2) for _ in range(3)]
    maps = {
        name: ((one - one.min()) / np.ptp(one)).astype(np.float32)
        for name, one in zip(("foreground", "border", "distance"), smooth, strict=True)
    }
    if coarse:  # as much as half precision leaves: many ties
        maps = {name: np.round(one * 20).astype(np.float32) / 20 for name, one in maps.items()}
    own = {"foreground_threshold": 0.4, "seed_threshold": 0.2, "min_distance_px": 3.0}
    own |= {"min_probability": 0.55, "min_area_px": 3}
    expected = find_by_libraries(maps, kind, **own)
    found = find_instances(maps, Settings(seeds=kind, **own))
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found, expected)
