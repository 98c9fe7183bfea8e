"""Kernels of outlines: the same corners and the same rings as arrays and graphs give."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csgraph, csr_array

from scopemill.annotations.corners import DOWN, HOLLOW, RIGHT
from scopemill.kernels.outlines import find_corners, link_corners

SIZES = st.tuples(st.integers(2, 12), st.integers(2, 12))
LABELS = arrays(np.uint32, SIZES, elements=st.sampled_from([0, 0, 1, 1, 2, 2**32 - 1]))


def find_by_arrays(pixels):
    """The oracle: (label, y, x, turn) of all corners, in no order."""
    y, x = np.indices(np.array(pixels.shape) - 1).reshape(2, -1)
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        own, side = pixels[y + dy, x + dx], pixels[y + dy, x + 1 - dx]
        over, across = pixels[y + 1 - dy, x + dx], pixels[y + 1 - dy, x + 1 - dx]
        single = (own != 0) & (side != own) & (over != own)
        hollow = (side != 0) & (side == over) & (side == across) & (side != own)
        for chosen, label, more in ((single, own, 0), (hollow, side, HOLLOW)):
            turn = np.full(chosen.sum(), RIGHT * dx + DOWN * dy + more)
            yield from zip(*(one.tolist() for one in (label[chosen], y[chosen], x[chosen], turn)), strict=True)  # fmt: skip


def link_by_graphs(label, y, x, turn):
    """The oracle: order of corners along rings, and sizes of rings; objects one after the other."""
    right, down, hollow = turn & RIGHT != 0, turn & DOWN != 0, turn & HOLLOW != 0
    by_row = np.lexsort((right, x, y, label))
    label, y, x, right, down, hollow = (one[by_row] for one in (label, y, x, right, down, hollow))
    by_column = np.lexsort((down, y, x, label))
    n = np.arange(len(label))
    in_column = np.empty_like(n)
    in_column[by_column] = by_column[n ^ 1]
    follow = np.where((right == down) ^ hollow, n ^ 1, in_column)
    twice = np.flatnonzero((label[1:] == label[:-1]) & (y[1:] == y[:-1]) & (x[1:] == x[:-1]))
    ring = find_rings(follow)
    one = twice[ring[twice] == ring[twice + 1]]
    follow[one], follow[one + 1] = follow[one + 1], follow[one]
    order, sizes = [], []
    ring = find_rings(follow)
    for number in dict.fromkeys(ring.tolist()):
        first = at = int(np.flatnonzero(ring == number)[0])
        sizes.append(int((ring == number).sum()))
        for _ in range(sizes[-1]):
            order.append(int(by_row[at]))
            at = follow[at]
        assert at == first
    return order, sizes


def find_rings(follow):
    """Number of the ring of each corner."""
    n = len(follow)
    graph = csr_array((np.ones(n), follow, np.arange(n + 1)), (n, n))
    return csgraph.connected_components(graph, connection="strong")[1]


@settings(max_examples=300, deadline=None)
@given(LABELS)
def test_corners_are_those_that_arrays_find(pixels):
    label, y, x, turn = find_corners(pixels, 5, 7)
    found = list(zip(label.tolist(), (y - 5).tolist(), (x - 7).tolist(), turn.tolist(), strict=True))  # fmt: skip
    assert sorted(found) == sorted(find_by_arrays(pixels))


@settings(max_examples=300, deadline=None)
@given(LABELS, st.randoms(use_true_random=False))
def test_rings_are_those_that_graphs_find_whatever_the_order_of_corners(pixels, random):
    label, y, x, turn = find_corners(np.pad(pixels, 1), 0, 0)
    mixed = list(range(len(label)))
    random.shuffle(mixed)
    mixed = np.array(mixed, int)[np.argsort(label[mixed], kind="stable")]
    label, y, x, turn = (one[mixed] for one in (label, y, x, turn))
    order, sizes = link_corners(y, x, turn, ends_of(label))
    assert (order.tolist(), sizes.tolist()) == link_by_graphs(label, y, x, turn)


def ends_of(label):
    """Where each object's corners end."""
    return np.append(np.flatnonzero(np.diff(label)) + 1, len(label)) if len(label) else np.zeros(0, int)  # fmt: skip


def test_a_pixel_has_four_corners_clockwise_from_above_left():
    label, y, x, turn = find_corners(np.pad(np.full((1, 1), 9, np.uint32), 1), 0, 0)
    order, sizes = link_corners(y, x, turn, np.array([4]))
    assert label.tolist() == [9] * 4 and sizes.tolist() == [4]
    assert [(int(x[i]), int(y[i])) for i in order] == [(0, 0), (1, 0), (1, 1), (0, 1)]


@pytest.mark.parametrize(("hole", "rings"), [(0, [4, 4]), (2**31, [4, 4])])
def test_a_hole_is_a_ring_of_its_own(hole, rings):
    pixels = np.pad(np.full((3, 3), 1, np.uint32), 1)
    pixels[2, 2] = hole
    label, y, x, turn = find_corners(pixels, 0, 0)
    mine = label == 1
    assert link_corners(y[mine], x[mine], turn[mine], np.array([mine.sum()]))[1].tolist() == rings
