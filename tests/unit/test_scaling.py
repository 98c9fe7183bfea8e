"""Scaling: a window of a rescaled image is that part of the image rescaled as a whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopemill.blocks import sample_scaled
from scopemill.scaling import rescale, rescale_window

SIDES = st.integers(1, 60)


def read_of(plane):
    return lambda y, x: plane[..., y, x]


@settings(deadline=None, max_examples=200)
@given(SIDES, SIDES, st.floats(0.1, 8), st.integers(0, 10**6))
def test_a_window_is_that_part_of_the_whole(height, width, zoom, seed):
    rng = np.random.default_rng(seed)
    plane = rng.integers(0, 256, (height, width)).astype(np.uint8)
    size = tuple(max(1, round(n * zoom)) for n in plane.shape)
    ys, xs = (np.sort(rng.integers(0, n + 1, 2)) for n in size)
    window = (slice(ys[0], ys[1] + 1), slice(xs[0], xs[1] + 1))
    expected = rescale(plane, size)[window]
    if expected.size == 0:
        return
    found = rescale_window(read_of(plane), plane.shape, size, window)
    assert found.dtype == np.uint8 and found.shape == expected.shape
    # both are rounded, and a sum may be rounded to either side of a half
    assert np.abs(found.astype(int) - expected).max(initial=0) <= 1


def test_a_pixels_centre_stays_where_it_is():
    ramp = np.tile(np.arange(8, dtype=np.float32), (8, 1))  # value = place of the pixel's centre
    doubled = rescale_window(read_of(ramp), (8, 8), (16, 16), (slice(0, 1), slice(6, 10)))
    assert doubled.tolist() == [[2.75, 3.25, 3.75, 4.25]]
    halved = rescale_window(read_of(ramp), (8, 8), (4, 4), (slice(0, 1), slice(1, 3)))
    np.testing.assert_allclose(halved, [[2.5, 4.5]], atol=1e-4)


def test_only_the_window_and_what_it_needs_around_is_read():
    asked = []

    def read(y, x):
        asked.append((y, x))
        return np.zeros((y.stop - y.start, x.stop - x.start), np.uint16)

    rescale_window(read, (4000, 4000), (1000, 1000), (slice(500, 510), slice(0, 10)))
    # 4 source pixels a pixel, and a Gaussian of sigma 1.5 reaches 6 further
    (y, x) = asked[0]
    assert (y.start, y.stop) == (1995, 2045) and (x.start, x.stop) == (0, 45)


def test_a_large_plane_is_made_small_piece_by_piece():
    largest, plane = [0], np.random.default_rng(0).random((6000, 12)).astype(np.float32)

    def read(y, x):
        largest[0] = max(largest[0], y.stop - y.start)
        return plane[y, x]

    found = rescale_window(read, plane.shape, (100, 12), (slice(0, 100), slice(0, 12)))
    np.testing.assert_allclose(found, rescale(plane, (100, 12)), atol=1e-6)
    # 34 pixels of 60, and a Gaussian of sigma 29.5 reaches 118 further
    assert largest[0] == 34 * 60 - 60 + 2 + 2 * 118


@pytest.mark.parametrize("size", [(5, 7), (3, 4), (10, 14)])
def test_planes_of_a_stack_do_not_touch_each_other(size):
    stack = np.random.default_rng(0).random((3, 5, 7)).astype(np.float32)
    whole = (slice(0, size[0]), slice(0, size[1]))
    found = rescale_window(read_of(stack), (5, 7), size, whole)
    np.testing.assert_allclose(found, [rescale(plane, size) for plane in stack], atol=1e-6)


def test_a_sample_is_taken_where_there_are_fewer_pixels():
    assert sample_scaled((900, 800), (450, 400)) == [(slice(0, 450), slice(0, 400))]
    assert sample_scaled((900, 800), (1800, 1600)) == [(slice(0, 1800), slice(0, 1600))]
    windows = sample_scaled((16000, 16000), (2000, 2000))
    assert len(windows) == 64 and windows[0] == (slice(0, 32), slice(0, 32))
    assert windows[-1] == (slice(1968, 2000), slice(1968, 2000))
    enlarged = sample_scaled((2000, 2000), (16000, 16000))
    assert len(enlarged) == 64 and enlarged[-1] == (slice(15744, 16000), slice(15744, 16000))


def test_an_image_of_the_right_size_is_not_touched():
    plane = np.arange(12, dtype=np.uint16).reshape(3, 4)
    found = rescale_window(read_of(plane), (3, 4), (3, 4), (slice(1, 9), slice(2, 9)))
    assert found.tolist() == [[6, 7], [10, 11]]
