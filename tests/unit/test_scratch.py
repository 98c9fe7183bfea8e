"""Scratch: a plane in a file is an array of zeros that is written and read by windows."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scopemill import scratch
from scopemill.scratch import Scratch


def test_what_was_not_written_is_zero_and_takes_no_room(tmp_path):
    output = tmp_path / "labels.tif"
    with Scratch(output) as there:
        plane = there.plane((100_000, 70_000), np.uint32)
        plane[1020:1030, 0:5] = np.arange(50).reshape(10, 5)
        plane[5000:9000, 0:4000] = np.zeros((4000, 4000))
        assert plane[1023:1025, 3:7].tolist() == [[18, 19, 0, 0], [23, 24, 0, 0]]
        assert plane[99_998:100_100, 0:1].tolist() == [[0], [0]]
        assert (tmp_path / "labels.tif.scratch").stat().st_size < 10_000
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_where_no_plane_was_wanted(tmp_path):
    with Scratch(tmp_path / "a"):
        pass
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_planes_are_arrays(tmp_path_factory, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    old, scratch.CHUNK = scratch.CHUNK, 8
    try:
        with Scratch(tmp_path_factory.mktemp("scratch") / "a") as there:
            pairs = []
            for dtype in (np.uint32, np.uint8):
                size = rng.integers(1, 40, 2)
                pairs.append((there.plane(size, dtype), np.zeros(size, dtype)))
            for _ in range(12):
                for plane, array in pairs:
                    ends = [np.sort(rng.integers(0, n + 1, 2)) for n in array.shape]
                    window = tuple(slice(int(a), int(b)) for a, b in ends)
                    values = rng.integers(0, 200, array[window].shape) * rng.integers(0, 2)
                    plane[window] = array[window] = values.astype(array.dtype)
            for plane, array in pairs:
                assert plane.shape == array.shape
                np.testing.assert_array_equal(plane[0:100, 0:100], array)
                np.testing.assert_array_equal(plane[2:9, 3:21], array[2:9, 3:21])
    finally:
        scratch.CHUNK = old
