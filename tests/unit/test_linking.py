"""Linking: labels of single planes become objects in 3-D; what lies one above the other stays apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopemill import metrics
from scopemill.linking import link_planes


def stack(*planes):
    """Planes of one row of pixels each, written as digits."""
    return np.array([[list(map(int, plane))] for plane in planes], np.uint32)


def rows(labels):
    return ["".join(map(str, plane[0])) for plane in labels]


def test_what_overlaps_in_neighbouring_planes_is_one_object():
    found = link_planes(stack("1111000222", "0222200111", "0000000000"), 0.3)
    assert found.dtype == np.uint32
    assert rows(found) == ["1111000222", "0111100222", "0000000000"]


@pytest.mark.parametrize(("least_iou", "n"), [(0.5, 1), (0.51, 2)])
def test_the_overlap_must_be_as_good_as_is_asked_for(least_iou, n):
    planes = stack("111000", "011100")  # 2 of 4 pixels
    assert link_planes(planes, least_iou).max() == n


def test_only_the_best_partner_of_both_is_linked():
    # the upper object overlaps with two: by 3 of 6 and by 2 of 6
    found = link_planes(stack("111111", "222011"), 0.1)
    assert rows(found) == ["111111", "111022"]


def test_a_plane_that_misses_an_object_is_bridged_and_filled():
    found = link_planes(stack("1111", "0000", "0111"), 0.3)
    assert rows(found) == ["1111", "0111", "0111"]


def test_two_missing_planes_are_not_bridged():
    assert link_planes(stack("1111", "0000", "0000", "1111"), 0.3).max() == 2


def test_what_is_there_is_not_bridged_over():
    # the middle plane shows another object, at the same place
    found = link_planes(stack("11111111", "00000011", "11111111"), 0.3)
    assert rows(found) == ["11111111", "11111122", "11111111"]


def test_objects_seen_in_too_few_planes_are_dropped_and_the_others_numbered_anew():
    planes = stack("1100222", "0000111")
    assert rows(link_planes(planes, 0.3, least_planes=2)) == ["0000111", "0000111"]


WAIST = stack("111111", "111111", "011100", "111111", "111110")


def test_an_object_is_cut_at_its_waist_which_goes_to_the_wider_side():
    found = link_planes(WAIST, 0.3, waist=0.8)
    assert rows(found) == ["111111", "111111", "011100", "222222", "222220"]


@pytest.mark.parametrize("waist", [0.0, 0.5])
def test_a_waist_that_is_wide_enough_is_none(waist):
    assert link_planes(WAIST, 0.3, waist=waist).max() == 1


def test_three_above_each_other_are_three():
    planes = stack("11111", "00100", "11111", "00100", "11111")
    assert link_planes(planes, 0.1, waist=0.8).max() == 3


def test_a_ball_has_no_waist():
    z, y, x = np.indices((11, 21, 21))
    ball = ((z - 5) / 5.5) ** 2 + ((y - 10) / 9) ** 2 + ((x - 10) / 9) ** 2 <= 1
    found = link_planes(ball.astype(np.uint32), 0.3, waist=1.0)
    np.testing.assert_array_equal(found, ball)


@pytest.mark.parametrize("shape", [(1, 2, 2), (4, 2, 2)])
def test_nothing_gives_nothing(shape):
    assert not link_planes(np.zeros(shape, np.uint32), 0.3, 0.8, 2).any()


@given(st.integers(0, 2**16), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_bodies_with_planes_between_them_are_found_whatever_the_numbers_of_their_planes(seed, n):
    rng = np.random.default_rng(seed)
    truth = np.zeros((12, 20, 20), np.uint32)
    for k in range(n):
        z, y = 6 * (k % 2), 4 * k
        truth[z : z + rng.integers(2, 5), y : y + 3, 3 : rng.integers(6, 18)] = k + 1
    planes = np.stack([np.append(0, rng.permutation(n) + 1)[plane] for plane in truth])
    found = link_planes(planes, 0.3, 0.8, 1)
    assert metrics.match(truth, found, 1.0).f1 == 1.0
    np.testing.assert_array_equal(np.unique(found), np.arange(n + 1))
