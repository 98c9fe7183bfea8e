"""Stitching: blocks of a label image that were numbered apart give the same objects as the whole."""

from tempfile import TemporaryFile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from scopemill.scratch import ScratchLabels
from scopemill.stitching import Stitcher, match_pieces
from scopemill.tiling import list_cores, widen, within

ALL = (slice(None), slice(None))


def make_store(size):
    return ScratchLabels(TemporaryFile(), size)


def stitch(labels: np.ndarray, block: int, margin: int) -> tuple[np.ndarray, "object"]:
    """Cut a label image into blocks, number each apart, stitch."""
    store = make_store(labels.shape)
    stitcher = Stitcher(store)
    for core in list_cores(labels.shape, block):
        window = widen(core, margin, labels.shape)
        part = labels[window]
        own = np.unique(part, return_inverse=True)[1].reshape(part.shape)
        own = own + (0 if (part == 0).any() else 1)
        stitcher.add(core, window, own, [part.astype(float)])
    objects = stitcher.finish()
    return objects.number(np.ones(len(objects.areas), bool))[store[ALL]], objects


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    pairs = np.unique(np.stack([one.ravel(), other.ravel()], 1), axis=0)
    return len(pairs) == len(np.unique(one)) == len(np.unique(other))


def test_an_object_across_a_border_is_one():
    labels = np.zeros((6, 8), np.uint32)
    labels[2:4, 2:7] = 1
    found, objects = stitch(labels, block=4, margin=2)
    assert found.tolist() == labels.tolist()
    assert objects.areas.tolist() == [10]
    assert objects.centroids.tolist() == [[2.5, 4.0]]
    assert objects.sums.tolist() == [[10.0]]


def test_neighbours_that_touch_at_a_border_stay_two():
    labels = np.zeros((4, 8), np.uint32)
    labels[:, 1:4], labels[:, 4:7] = 1, 2
    found, objects = stitch(labels, block=4, margin=2)
    assert found.tolist() == labels.tolist()
    assert sorted(objects.areas) == [12, 12]


def test_an_object_where_four_blocks_meet_is_one():
    labels = np.zeros((8, 8), np.uint32)
    labels[3:5, 3:5] = 7
    found, _ = stitch(labels, block=4, margin=1)
    assert found.max() == 1
    assert (found > 0).sum() == 4


def test_what_is_not_kept_is_gone_and_the_others_are_dense():
    labels = np.array([[1, 0, 2, 2, 0, 3, 3, 3]], np.uint32)
    store = make_store(labels.shape)
    stitcher = Stitcher(store)
    whole = (slice(0, 1), slice(0, 8))
    stitcher.add(whole, whole, labels)
    objects = stitcher.finish()
    numbers = objects.number(objects.areas != 2)
    assert numbers[store[ALL]].tolist() == [[1, 0, 0, 0, 0, 2, 2, 2]]
    assert numbers.dtype == np.uint32


def test_nothing_is_nothing():
    found, objects = stitch(np.zeros((4, 4), np.uint32), block=2, margin=1)
    assert not found.any()
    assert len(objects.areas) == 0


@pytest.mark.parametrize(
    ("found", "expected"),
    [([[5, 5, 0, 0]], [[1, 5]]), ([[5, 0, 0, 0]], []), ([[5, 5, 5, 6]], [[1, 5]])],
    ids=["same", "half is not enough", "partly"],
)
def test_pieces_match_when_they_share_more_than_half(found, expected):
    assert match_pieces(np.array([[1, 1, 0, 0]]), np.array(found)).tolist() == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.booleans())
def test_pieces_are_measured_in_their_core_alone(seed, n, keeps_ids):
    rng = np.random.default_rng(seed)
    labels, weights = rng.integers(0, n, (9, 11)), rng.random((9, 11), np.float32)
    core, window = (slice(12, 17), slice(3, 8)), (slice(10, 19), slice(1, 12))
    store = make_store((30, 20))
    stitcher = Stitcher(store, keeps_ids)
    stitcher.add(core, window, labels, [weights])
    objects, inner = stitcher.finish(), within(core, window)
    own = labels[inner]
    assert ((store[core] > 0) == (own > 0)).all() and np.count_nonzero(store[ALL]) == (
        own > 0
    ).sum()
    for label in np.unique(own[own > 0]):
        mask = own == label
        (i,) = np.unique(objects.owner[store[core][mask] - 1])
        assert not keeps_ids or (store[core][mask] == label).all()
        assert objects.areas[i] == mask.sum()
        np.testing.assert_allclose(
            objects.centroids[i], np.argwhere(mask).mean(0) + np.array([12, 3])
        )
        np.testing.assert_allclose(objects.sums[0, i], weights[inner][mask].sum(dtype=float))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(7, 24), st.integers(3, 6))
def test_stitched_blocks_are_the_whole(seed, block, margin):
    rng = np.random.default_rng(seed)
    blobs = ndimage.gaussian_filter(rng.random((48, 53)), 2)
    labels = ndimage.label(blobs > np.median(blobs) + blobs.std() / 2)[0].astype(np.uint32)
    seeds = rng.integers(0, 48, (12, 2))
    labels[
        tuple(np.moveaxis(seeds[:, None] + np.indices((3, 3)).reshape(2, -1).T, 2, 0).clip(0, 47))
    ] = 0
    labels = ndimage.label(labels)[0].astype(np.uint32)  # whole objects are connected
    found, objects = stitch(labels, block, margin)
    assert same_partition(found, labels)
    assert sorted(objects.areas) == sorted(np.bincount(labels.ravel())[1:])
    assert found.max() == labels.max()
    assert within((slice(3, 5), slice(4, 6)), (slice(2, 9), slice(2, 9))) == (
        slice(1, 3),
        slice(2, 4),
    )
