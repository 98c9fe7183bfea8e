"""Poisson: particles of each cell -> how far cells are from what chance alone would give."""

from math import nan
from typing import NamedTuple

import numpy as np

MIN_EXPECTED = 5.0  # cells in a bin of the goodness of fit (Cochran 1954)


class Dispersion(NamedTuple):
    """Variance over mean, 1 by chance alone; p of the two-sided test."""

    index: float
    p: float


class ZeroInflation(NamedTuple):
    """Share of cells that never bind, beside cells that bind by chance; p of there being none such."""

    share: float
    p: float


def measure_dispersion(counts: np.ndarray) -> Dispersion:
    """Index of dispersion with its chi-square test (Fisher 1925): (n - 1) times the index has n - 1 degrees."""
    from scipy.stats import chi2

    n = len(counts)
    if n < 2 or not counts.sum():
        return Dispersion(nan, nan)
    index = float(counts.var(ddof=1) / counts.mean())
    statistic, degrees = (n - 1) * index, n - 1
    return Dispersion(index, float(min(1.0, 2 * min(chi2.cdf(statistic, degrees), chi2.sf(statistic, degrees)))))  # fmt: skip


def fit_poisson(counts: np.ndarray) -> float:
    """The p of Pearson's chi-square test against the Poisson of the same mean.

    Neighbouring counts are put together until 5 cells are expected of each; NaN where fewer than 3 bins remain.
    """
    from scipy.stats import chi2

    observed, expected = bin_counts(counts)
    if len(expected) < 3:
        return nan
    statistic = ((observed - expected) ** 2 / expected).sum()
    return float(chi2.sf(statistic, len(expected) - 2))


def bin_counts(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Observed and expected cells in bins of counts, 5 or more expected in each; the last bin has no end."""
    from scipy.stats import poisson

    n, mean = len(counts), float(counts.mean()) if len(counts) else 0.0
    if not mean:
        return np.zeros(0), np.zeros(0)
    ends, below = [], 0.0
    for count in range(int(poisson.isf(MIN_EXPECTED / n, mean)) + 1 if n > MIN_EXPECTED else 0):
        reached = n * float(poisson.cdf(count, mean))
        if reached - below >= MIN_EXPECTED and n - reached >= MIN_EXPECTED:
            ends.append(count)
            below = reached
    bins = np.searchsorted(ends, counts, side="left")
    observed = np.bincount(bins, minlength=len(ends) + 1).astype(float)
    reached = n * poisson.cdf(ends, mean)
    return observed, np.diff(np.concatenate([[0.0], reached, [float(n)]]))


def fit_zeros(counts: np.ndarray) -> ZeroInflation:
    """Zero-inflated Poisson by maximum likelihood (Lambert 1992), with the likelihood ratio's p.

    Under the null the share lies on its border: the ratio is half 0, half chi-square of 1 degree (Self & Liang 1987).
    """
    from scipy.special import lambertw
    from scipy.stats import chi2

    n, total = len(counts), float(counts.sum())
    if not total:
        return ZeroInflation(nan, nan)
    positive = int((counts > 0).sum())
    mean, of_positive = total / n, total / positive
    # mean of cells that can bind: of_positive = mean / (1 - exp(-mean)), solved by Lambert's W
    rate = of_positive + float(lambertw(-of_positive * np.exp(-of_positive)).real)
    binding = positive / n / -np.expm1(-rate) if rate > 0 else np.inf
    if binding >= 1:  # no more zeros than by chance
        return ZeroInflation(0.0, 1.0)
    zero_share = 1 - positive / n

    def log_likelihood(zero: float, scale: float, mean: float) -> float:
        zeros = (n - positive) * np.log(zero) if positive < n else 0.0
        return zeros + positive * (np.log(scale) - mean) + total * np.log(mean)

    ratio = 2 * (log_likelihood(zero_share, binding, rate) - log_likelihood(np.exp(-mean), 1.0, mean))  # fmt: skip
    return ZeroInflation(float(1 - binding), float(chi2.sf(ratio, 1) / 2))
