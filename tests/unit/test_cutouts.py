"""Cutouts: a square out of a window of an image is the square out of the image."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scopemill.classify.methods.network import find_window
from scopemill.cutouts import cut_around

SIDES = st.integers(1, 40)


@settings(deadline=None)
@example(2, 1, 1, 1.0, 0.0)  # on the lower border
@given(SIDES, SIDES, st.integers(1, 12), st.floats(0, 1), st.floats(0, 1))
def test_a_window_that_holds_the_square_is_enough(height, width, size, down, right):
    image = np.arange(height * width).reshape(1, height, width)
    y, x = down * height, right * width
    rows, columns = find_window(np.array([[y, x]]), size, (height, width))
    origin = (rows.start, columns.start)
    found = cut_around(image[:, rows, columns], y, x, size, origin, (height, width))
    np.testing.assert_array_equal(found, cut_around(image, y, x, size))


def test_coordinates_count_from_the_whole_image():
    window = np.arange(4)[None]  # columns 10 to 13 of a row
    assert cut_around(window, 0.5, 12.0, 2, (0, 10), (1, 14)).tolist() == [[1, 2], [1, 2]]
    # mirrored at the image's border, which is the window's
    assert cut_around(window, 0.5, 13.5, 3, (0, 10), (1, 14))[0].tolist() == [2, 3, 2]
