"""Poisson: published counts give the published numbers."""

import numpy as np
import pytest

from scopemill import poisson

# Prussian soldiers killed by horse kicks in a corps and year (Bortkiewicz 1898): Poisson
KICKS = np.repeat(range(5), [109, 65, 22, 3, 1])
# red mites on apple leaves (Bliss & Fisher 1953): negative binomial
MITES = np.repeat(range(8), [70, 38, 17, 10, 9, 3, 2, 1])


def test_horse_kicks_are_poisson():
    found = poisson.measure_dispersion(KICKS)
    assert found.index == pytest.approx(1.0016, abs=1e-4) and found.p > 0.9
    assert poisson.fit_poisson(KICKS) == pytest.approx(0.802, abs=1e-3)
    assert poisson.fit_zeros(KICKS).p > 0.4


def test_mites_are_not():
    found = poisson.measure_dispersion(MITES)  # mean 1.1467, variance 2.2737
    assert found.index == pytest.approx(1.9828, abs=1e-4) and found.p < 1e-9
    assert poisson.fit_poisson(MITES) < 1e-4
    zeros = poisson.fit_zeros(MITES)  # statsmodels 0.14, ZeroInflatedPoisson
    assert zeros.share == pytest.approx(0.35999, abs=1e-4)
    assert zeros.p == pytest.approx(5.2308e-9, rel=1e-4)


def test_bins_have_five_expected_cells_and_hold_all():
    observed, expected = poisson.bin_counts(KICKS)
    assert observed.tolist() == [
        109,
        65,
        26,
    ]  # 4.1 corps with 3 kicks and 0.7 with more are put together with 2
    assert expected == pytest.approx([108.67, 66.29, 25.04], abs=0.01)
    observed, expected = poisson.bin_counts(np.full(40, 60))
    assert observed.sum() == 40 == pytest.approx(expected.sum()) and expected.min() >= 5


def test_cells_that_are_too_equal_are_not_chance_either():
    assert poisson.measure_dispersion(np.array([4, 5] * 20)).p < 1e-6


@pytest.mark.parametrize("counts", [[], [3], [0, 0, 0]])
def test_what_cannot_be_told_is_not_a_number(counts):
    counts = np.array(counts, float)
    assert np.isnan(poisson.measure_dispersion(counts).index)
    assert np.isnan(poisson.fit_poisson(counts))


def test_fewer_zeros_than_by_chance_are_no_inflation():
    assert poisson.fit_zeros(np.array([1, 2, 3, 2])) == (0.0, 1.0)
    assert np.isnan(poisson.fit_zeros(np.zeros(3)).share)


def test_the_tests_err_about_as_often_as_they_say():
    rng = np.random.default_rng(2)
    samples = [rng.poisson(3.0, 80) for _ in range(300)]
    for p in (
        [poisson.measure_dispersion(one).p for one in samples],
        [poisson.fit_poisson(one) for one in samples],
        [poisson.fit_zeros(one).p for one in samples],
    ):
        assert 0.01 <= np.mean(np.array(p) < 0.05) <= 0.09


def test_cells_that_never_bind_are_found():
    rng = np.random.default_rng(2)
    found = poisson.fit_zeros(rng.poisson(2.0, 500) * (rng.random(500) > 0.3))
    assert found.share == pytest.approx(0.3, abs=0.05) and found.p < 1e-6
