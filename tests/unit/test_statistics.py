"""Statistics: intervals as the textbooks have them."""

import numpy as np
import pytest

from scopemill import statistics


@pytest.mark.parametrize(
    ("count", "low", "high"),  # Garwood (1936); Ulm (1990)
    [(0, 0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39), (100, 81.36, 121.63)],
)
def test_a_counts_interval_is_the_published_one(count, low, high):
    assert statistics.poisson_interval(count) == pytest.approx((low, high), rel=1e-3)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),  # Clopper & Pearson (1934)
    [
        (0, 10, 0, 0.3085),
        (10, 10, 0.6915, 1),
        (5, 10, 0.1871, 0.8129),
        (1, 20, 0.00127, 0.2487),
        (0, 0, 0, 1),
    ],
)
def test_a_fractions_interval_is_the_published_one(hits, n, low, high):
    assert statistics.binomial_interval(hits, n) == pytest.approx((low, high), abs=1e-4)


def test_a_wider_level_is_a_wider_interval():
    low, high = statistics.poisson_interval(10, level=0.99)
    assert low < 4.795 and high > 18.39


ABOVE, BELOW = [5.0, 3, 8, 2, 6, 4], [10.0] * 6


def test_the_bootstrap_is_the_same_every_time():
    one, same, other = (
        statistics.bootstrap_ratio(ABOVE, BELOW, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert one == same != other


def test_the_bootstrap_covers_the_ratio_and_no_more_than_its_parts():
    low, high = statistics.bootstrap_ratio(ABOVE, BELOW, np.random.default_rng(0))
    assert 0.2 < low < 28 / 60 < high < 0.8


def test_images_that_do_not_differ_have_no_interval():
    low, high = statistics.bootstrap_ratio([5.0] * 6, BELOW, np.random.default_rng(0))
    assert low == high == 0.5


def test_the_bootstrap_weighs_large_images_more():
    above, below = [0.0, 100, 100, 100], [1.0, 100, 100, 100]
    low, high = statistics.bootstrap_ratio(above, below, np.random.default_rng(0))
    assert 0.95 < low < high == 1  # a mean of four ratios would go down to 0.25


def test_nothing_below_has_no_ratio():
    assert np.isnan(statistics.bootstrap_ratio([0.0], [0.0], np.random.default_rng(0))).all()


def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        n = rng.poisson(40, 30)
        low, high = statistics.bootstrap_ratio(rng.binomial(n, 0.3), n, rng, 400)
        hits += low <= 0.3 <= high
    assert 0.88 < hits / 200 < 0.99


DOSES = np.repeat([0, 0.1, 0.3, 1, 3, 10, 30], 3).astype(float)


def respond(bottom, top, ec50, slope, noise=0.0):
    curve = statistics.Logistic(bottom, top, ec50, slope, 0, 0)
    return curve(DOSES) + np.random.default_rng(0).normal(0, noise, len(DOSES))


@pytest.mark.parametrize(
    ("bottom", "top", "ec50", "slope"), [(1, 5, 2, 1.5), (5, 1, 0.7, 1.0), (0, 100, 5, 3)]
)
def test_a_known_curve_is_recovered(bottom, top, ec50, slope):
    fit = statistics.fit_logistic(
        DOSES, respond(bottom, top, ec50, slope, abs(top - bottom) * 0.01)
    )
    assert fit.ec50 == pytest.approx(ec50, rel=0.1)
    assert (fit.bottom, fit.top, fit.slope) == pytest.approx((bottom, top, slope), rel=0.15, abs=1.5)  # fmt: skip
    assert ec50 / 1.2 < fit.ec50_low < fit.ec50 < fit.ec50_high < ec50 * 1.2


def test_the_interval_of_ec50_covers_the_truth_about_as_often_as_it_says():
    exact = respond(1, 5, 2, 1.5)
    rng = np.random.default_rng(1)
    fits = [statistics.fit_logistic(DOSES, exact + rng.normal(0, 0.1, len(DOSES))) for _ in range(100)]  # fmt: skip
    hits = sum(fit.ec50_low < 2 < fit.ec50_high for fit in fits)
    assert 87 <= hits <= 99


def test_at_ec50_the_response_is_half_way():
    assert statistics.Logistic(1, 5, 2, 1.5, 0, 0)(np.array([0, 2, np.inf])).tolist() == [1, 3, 5]


def test_more_noise_is_a_wider_interval():
    widths = [
        np.log(fit.ec50_high / fit.ec50_low)
        for fit in (
            statistics.fit_logistic(DOSES, respond(1, 5, 2, 1.5, noise)) for noise in (0.05, 0.5)
        )
    ]
    assert widths[0] < widths[1] / 3


def test_missing_values_are_left_out():
    x, y = np.append(DOSES, [1, np.nan, -5]), np.append(respond(1, 5, 2, 1.5, 0.01), [np.nan, 3, 9])
    assert statistics.fit_logistic(x, y).ec50 == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (DOSES, np.full(len(DOSES), 3.0)),
        ([0, 1, 2], [1, 2, 3]),
        ([1, 1, 1, 1, 2, 2, 3], [1, 2, 3, 4, 5, 6, 7]),
        ([], []),
        ([np.nan] * 5, [1, 2, 3, 4, 5]),
    ],
    ids=["flat", "three doses", "three different doses", "nothing", "no doses"],
)
def test_data_that_hold_no_curve_give_none(x, y):
    assert statistics.fit_logistic(np.array(x, float), np.array(y, float)) is None


@pytest.mark.parametrize("n", [1, 7, 60, 300])
def test_draws_in_blocks_are_the_draws_at_once(n, monkeypatch):
    above, below = np.random.default_rng(n).random((2, n))
    whole = []
    for at_once in (10**9, 1000):
        monkeypatch.setattr(statistics, "DRAWS_AT_ONCE", at_once)
        whole.append(statistics.bootstrap_ratio(above, below, np.random.default_rng(1)))
    assert whole[0] == whole[1]


def test_intervals_of_many_are_those_of_each():
    hits, n = np.array([0, 0, 3, 3, 7]), np.array([0, 5, 3, 9, 700])
    for ends, one_by_one in (
        (statistics.poisson_intervals(n), map(statistics.poisson_interval, n)),
        (statistics.binomial_intervals(hits, n), map(statistics.binomial_interval, hits, n)),
    ):
        assert list(zip(*ends, strict=True)) == list(one_by_one)
