"""Pyramid: how many levels, and what their pixels are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from scopemill import pyramid


@pytest.mark.parametrize(
    ("size", "levels"),
    [((2048, 2048), 0), ((2049, 10), 2), ((10, 4096), 2), ((5000, 3000), 3), ((1, 1), 0)],
)
def test_only_large_images_have_a_pyramid(size, levels):
    assert pyramid.count_levels(*size) == levels


def test_block_means_are_exact_on_odd_sizes():
    plane = np.array([[1, 3, 10], [5, 7, 20], [2, 4, 9]], np.uint8)
    np.testing.assert_array_equal(pyramid.shrink_mean(plane, 2), [[4, 15], [3, 9]])


def test_block_means_of_floats_are_not_rounded():
    np.testing.assert_allclose(
        pyramid.shrink_mean(np.array([[0, 1, 2]], np.float32), 2), [[0.5, 2]]
    )


def test_block_means_of_colours_stay_apart():
    plane = np.zeros((2, 2, 3), np.uint8)
    plane[..., 0] = [[0, 2], [4, 6]]
    plane[..., 2] = 8
    np.testing.assert_array_equal(pyramid.shrink_mean(plane, 2), [[[3, 0, 8]]])


def test_block_means_do_not_overflow():
    assert pyramid.shrink_mean(np.full((4, 4), 65535, np.uint16), 4).tolist() == [[65535]]


@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int16, np.uint32, np.int32, np.float32]),
        st.one_of(
            st.tuples(st.integers(1, 9), st.integers(1, 9)),
            st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)),
        ),
        elements={"allow_nan": False, "allow_infinity": False},
    )
)
def test_halving_is_shrinking_by_two(plane):
    for nearest in (True, False):
        found = pyramid.halve(plane, nearest)
        assert found.dtype == plane.dtype
        np.testing.assert_array_equal(found, pyramid.shrink(plane, 2, nearest))


@pytest.mark.parametrize(
    ("size", "max_px", "expected"),
    [
        ((100, 50), 100, (0, 1)),
        ((100, 50), 99, (0, 2)),
        ((4096, 10), 2048, (1, 1)),
        ((4097, 10), 2048, (2, 1)),
        ((4096, 10), 1000, (2, 2)),
        ((4096, 10), 100, (2, 11)),
    ],
)
def test_the_finest_level_that_fits_is_chosen(size, max_px, expected):
    assert pyramid.choose_level(size, pyramid.count_levels(*size) + 1, max_px) == expected


def test_tiles_that_are_put_together_are_the_halved_plane(tmp_path):
    planes = np.arange(2 * 7 * 9, dtype=np.uint8).reshape(2, 7, 9)  # 4 x 5 tiles of 2 px
    with pyramid.HalvedTiles(tmp_path, 2, (4, 5), planes[0, :0]) as halved:
        for plane in planes:
            for y in range(0, 7, 2):
                for x in range(0, 9, 2):
                    halved.append(plane[y : y + 2, x : x + 2][::2, ::2])
        for p, plane in enumerate(planes):
            expected = plane[::2, ::2]  # (4, 5): 2 x 3 tiles
            for y in range(2):
                for x in range(3):
                    tile = expected[2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
                    np.testing.assert_array_equal(halved.read(p, y, x, tile.shape), tile)
