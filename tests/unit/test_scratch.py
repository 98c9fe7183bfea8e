"""Scratch: a plane in a file is an array of zeros that is written and read by windows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopemill import scratch
from scopemill.scratch import Scratch
from scopemill.shapes import list_runs
from scopemill.tiling import list_cores


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


@pytest.fixture(scope="module")
def small_chunks():
    old, scratch.CHUNK = scratch.CHUNK, 8
    yield
    scratch.CHUNK = old


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_planes_are_arrays(tmp_path_factory, small_chunks, seed):
    rng = np.random.default_rng(seed)
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


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 20), st.sampled_from([2, 2**31 + 2]))
def test_labels_come_back_as_they_are_or_numbered(tmp_path_factory, small_chunks, seed, block, n):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n, rng.integers(1, 40, 2)).astype(np.uint32)
    with Scratch(tmp_path_factory.mktemp("scratch") / "a") as there:
        plane = there.labels(labels.shape)
        cores = list_cores(labels.shape, block)
        left_out = cores[rng.integers(len(cores))]  # nothing is looked at there
        for core in rng.permutation(np.array(cores, object)):
            if tuple(core) != left_out:
                plane.add(tuple(core), *list_runs(np.ascontiguousarray(labels[tuple(core)])))
        labels[left_out] = 0
        np.testing.assert_array_equal(plane[0:100, 0:100], labels)
        for _ in range(5):
            ends = [np.sort(rng.integers(0, size + 1, 2)) for size in labels.shape]
            window = tuple(slice(int(a), int(b)) for a, b in ends)
            np.testing.assert_array_equal(plane[window], labels[window])
            if n == 2:
                numbers = np.array([0, 7], np.uint32)
                np.testing.assert_array_equal(plane.read(window, numbers), 7 * labels[window])
