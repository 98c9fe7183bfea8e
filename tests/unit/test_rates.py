"""Rates: intervals as published or as statsmodels 0.14 has them; coverage of the truth by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopemill import rates
from scopemill.rates import Estimate


def test_a_rate_has_garwoods_interval():
    assert rates.poisson_rate(10, 5) == pytest.approx((2, 4.795 / 5, 18.39 / 5), rel=1e-3)
    assert rates.poisson_rate(0, 2) == pytest.approx((0, 0, 3.689 / 2), rel=1e-3)
    assert np.isnan(rates.poisson_rate(0, 0)).all()


def test_dispersion_widens_as_if_less_were_counted():
    assert rates.poisson_rate(20, 10, 2.0) == pytest.approx((2, 0.959, 3.678), rel=1e-3)


def test_images_that_are_alike_have_a_narrow_interval_between_them():
    assert rates.between_rate([4, 8, 2], [2, 4, 1]) == (2, 2, 2)


def test_the_interval_between_images_is_reckoned_by_hand():
    # rate 1; squares (1-2)^2 + (3-2)^2 = 2, times 2/1 = 4; t of 1 degree 12.706; reach 12.706 * 2 / 4
    low, high = np.exp([-6.3531, 6.3531])
    assert rates.between_rate([1, 3], [2, 2]) == pytest.approx((1, low, high), rel=1e-3)


@pytest.mark.parametrize("counts", [[5], [0, 0, 0]])
def test_one_image_or_no_particles_have_no_interval_between_images(counts):
    found = rates.between_rate(counts, [2] * len(counts))
    assert found.value == sum(counts) / 2 / len(counts) and np.isnan(found[1:]).all()


# 60 events in 51477.5 person-years against 30 in 54308.7 (Ng et al. 2007), in hundreds of years
ONE, OTHER = rates.poisson_rate(60, 514.775), rates.poisson_rate(30, 543.087)


def test_differences_and_ratios_are_those_of_statsmodels():
    assert rates.subtract(ONE, OTHER) == pytest.approx((0.06131600858, 0.02498114754, 0.09930891312))  # fmt: skip
    assert rates.divide(ONE, OTHER) == pytest.approx((2.10999757175, 1.34731070818, 3.35967134696))


def test_a_difference_of_symmetric_intervals_adds_squares():
    assert rates.subtract(Estimate(10, 7, 13), Estimate(5, 1, 9)) == (5, 0, 10)


def test_a_ratio_of_symmetric_intervals_is_fiellers():
    # (x y +- sqrt((x y)^2 - (x^2 - a^2) (y^2 - b^2))) / (y^2 - b^2) with x 10, a 2, y 5, b 1
    root = np.sqrt(2500 - 96 * 24)
    found = rates.divide(Estimate(10, 8, 12), Estimate(5, 4, 6))
    assert found == pytest.approx((2, (50 - root) / 24, (50 + root) / 24))
    # below 0: x -10 turns the interval round
    found = rates.divide(Estimate(-10, -12, -8), Estimate(5, 4, 6))
    assert found == pytest.approx((-2, -(50 + root) / 24, -(50 - root) / 24))


def test_a_ratio_to_what_may_be_nothing_has_no_upper_end():
    found = rates.divide(rates.poisson_rate(10, 1), rates.poisson_rate(0, 1))
    assert np.isnan(found.value) and found.high == np.inf and 1 < found.low < 10
    assert np.isnan(rates.divide(rates.UNKNOWN, ONE)).all()
    assert np.isnan(rates.subtract(ONE, rates.UNKNOWN)).all()


sane = st.floats(0.01, 1e3)


@given(sane, sane, st.floats(0.01, 0.9), st.floats(0.01, 0.9))
def test_a_ratio_lies_in_its_interval(x, y, a, b):
    found = rates.divide(Estimate(x, x * (1 - a), x * (1 + a)), Estimate(y, y * (1 - b), y * (1 + b)))  # fmt: skip
    assert found.low <= found.value * (1 + 1e-9) and found.value <= found.high * (1 + 1e-9)
    turned = rates.divide(Estimate(y, y * (1 - b), y * (1 + b)), Estimate(x, x * (1 - a), x * (1 + a)))  # fmt: skip
    assert 1 / turned.low == pytest.approx(found.high, rel=1e-6)


@given(st.floats(-10, 10), st.floats(-5, 5))
def test_a_negative_factor_turns_an_interval_round(value, factor):
    found = Estimate(value, value - 1, value + 2).times(factor)
    assert found.low <= found.value <= found.high
    assert found.high - found.low == pytest.approx(3 * abs(factor))


def test_effect_size_by_hand():
    # means 2 and 5, both of standard deviation 1, shrunk by 1 - 3 / 15; reach 1.96 sqrt(2/3 + 2.4^2/12)
    found = rates.hedges_g([1, 2, 3], [4, 5, 6])
    assert found == pytest.approx((-2.4, -2.4 - 2.0988, -2.4 + 2.0988), rel=1e-4)
    assert np.isnan(rates.hedges_g([1], [2, 3])).all()
    assert np.isnan(rates.hedges_g([1, 1], [2, 2])).all()


def test_all_ways_to_deal_out_four_and_four_images_are_tried():
    one, other = (np.array([1, 2, 3, 4]), np.ones(4)), (np.array([5, 6, 7, 8]), np.ones(4))
    assert rates.permutation_p(one, other, seed=0) == pytest.approx(2 / 70)
    assert rates.permutation_p(one, one, seed=0) == 1
    assert np.isnan(rates.permutation_p((np.array([1]), np.array([1])), other, seed=0))


def test_images_weigh_by_their_cells():
    # 10 of 10 cells and 0 of 1, against 1 a cell: the groups' rates are 10/11 and 1
    one, other = (np.array([10, 0]), np.array([10, 1])), (np.array([5, 5]), np.array([5, 5]))
    assert rates.permutation_p(one, other, seed=0) == 1


def covered(draw, truth, n=300):
    rng = np.random.default_rng(5)
    found = [draw(rng) for _ in range(n)]
    return sum(one.low <= truth <= one.high for one in found) / n


@pytest.mark.parametrize("n_images", [3, 6, 12])
def test_the_interval_between_images_covers_the_truth(n_images):
    def draw(rng):
        sizes = rng.integers(5, 20, n_images)
        means = 12 * rng.gamma(25, 1 / 25, n_images)  # images differ by 20 %
        return rates.between_rate(rng.poisson(means * sizes), sizes)

    assert 0.93 <= covered(draw, 12, 1500) <= 0.97


def test_what_is_specific_and_corrected_covers_the_truth():
    def draw(rng):
        efficiency = rng.binomial(300, 0.8) / 300
        reach = 1.96 * np.sqrt(0.16 / 300)
        treated = rates.poisson_rate(rng.poisson(50 * 0.8 * 6), 50)
        control = rates.poisson_rate(rng.poisson(50 * 0.8 * 2), 50)
        known = Estimate(efficiency, efficiency - reach, efficiency + reach)
        return rates.divide(rates.subtract(treated, control), known)

    assert 0.93 <= covered(draw, 4) <= 0.99
