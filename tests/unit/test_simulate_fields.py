"""Fields: hashed noise, points and borders do not depend on the window that one looks at."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopemill.simulate.fields import (
    Points,
    enlarge,
    find_borders,
    hash_uniform,
    keep_apart,
    noise,
    scatter_points,
    smooth_max,
)


def test_hash_is_splitmix64():
    # the first three outputs of the reference implementation seeded with 0
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    found = [float(hash_uniform(np.uint64(0), seed)) for seed in range(3)]
    assert found == [(one >> 11) / 2**53 for one in expected]


@settings(max_examples=20, deadline=None)
@given(st.integers(-500, 500), st.floats(2, 50), st.integers(0, 99))
def test_noise_of_a_part_is_part_of_the_noise(start, period, seed):
    y, x = np.arange(start, start + 40), np.arange(30)
    whole = noise(y, x, period, seed)
    assert noise(y[7:19], x[5:], period, seed) == pytest.approx(whole[7:19, 5:], abs=1e-5)


def test_noise_has_mean_0_and_variance_1_and_its_own_grain():
    fine, coarse = (noise(np.arange(600), np.arange(600), period, 1) for period in (3.0, 12.0))
    assert fine.mean() == pytest.approx(0, abs=0.03)
    assert fine.std() == pytest.approx(1, abs=0.05)
    assert np.abs(np.diff(coarse, axis=0)).mean() < 0.5 * np.abs(np.diff(fine, axis=0)).mean()


def test_another_seed_gives_other_noise():
    first, second = (noise(np.arange(200), np.arange(200), 3.0, seed).ravel() for seed in (1, 2))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05


def test_enlarged_fields_are_linear_between_samples():
    coarse = np.array([[0.0, 4.0], [8.0, 12.0]])
    expected = [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [6, 7, 8, 9]]
    assert enlarge(coarse, 4, 4, 4).tolist() == expected


def test_points_of_a_part_are_those_of_the_whole():
    low, high = (40.0, -20.0), (90.0, 30.0)
    whole = scatter_points((0, -100), (200, 100), 10, 2, 3, 5)
    part = scatter_points(low, high, 10, 2, 3, 5)
    inside = ((whole.place >= low) & (whole.place < high)).all(axis=1)
    there = ((part.place >= low) & (part.place < high)).all(axis=1)
    assert inside.sum() > 30
    assert whole.place[inside].tolist() == part.place[there].tolist()
    assert whole.value[inside].tolist() == part.value[there].tolist()


def test_of_two_discs_that_overlap_the_higher_rank_stays():
    place = np.array([[0.0, 0.0], [0.0, 3.0], [0.0, 20.0]])
    radius, rank = np.array([2.0, 2.0, 2.0]), np.array([0.1, 0.9, 0.0])
    assert keep_apart(place, radius, rank).tolist() == [False, True, True]
    assert keep_apart(place, radius / 2, rank).tolist() == [True, True, True]
    assert keep_apart(place, radius / 2, rank, gap=1.5).tolist() == [False, True, True]
    assert keep_apart(place[:1], radius[:1], rank[:1]).tolist() == [True]


def test_borders_lie_midway_and_are_drawn_alike_from_both_sides():
    points = Points(
        np.array([[0.0, 0.0], [0.0, 10.0]]), np.array([3, 8], np.uint64), np.empty((2, 0))
    )
    depth, drawn, key = find_borders(np.array([0.0, 0, 5]), np.array([2.0, 9, 5]), points, 1, 0)
    assert depth[:, 0].tolist() == [3, 4, 0]
    assert drawn[0, 0] == drawn[1, 0]
    assert key[:2].tolist() == [3, 8]


def test_smooth_maximum_is_rounded_where_two_are_equal():
    assert smooth_max(np.array([[5.0, -50.0], [2.0, 2.0]]), 2.0) == pytest.approx(
        [5, 2 + np.log(2) / 2]
    )
