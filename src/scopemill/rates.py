"""Rates: particles of cells -> mean a cell with a 95 % interval; differences and ratios of such means.

Intervals of differences and ratios are made of those of their two parts (MOVER), whatever made these.
"""

from collections.abc import Sequence
from math import exp, inf, nan, sqrt
from typing import NamedTuple

import numpy as np

from .statistics import LEVEL, poisson_interval


class Estimate(NamedTuple):
    """A number and the ends of its 95 % interval; NaN where nothing is known."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> "Estimate":
        """The estimate in another unit; a negative factor turns the interval round."""
        low, high = sorted((self.low * factor, self.high * factor))
        return Estimate(self.value * factor, low, high)


UNKNOWN = Estimate(nan, nan, nan)


def poisson_rate(count: float, exposure: float, dispersion: float = 1.0) -> Estimate:
    """Mean of `exposure` cells with `count` particles: the exact interval (Garwood 1936).

    `dispersion` above 1 (variance over mean) widens it: as if there were so many times fewer particles (quasi-Poisson).
    """
    if not exposure:
        return UNKNOWN
    low, high = poisson_interval(count / dispersion)
    return Estimate(count / exposure, low * dispersion / exposure, high * dispersion / exposure)


def between_rate(counts: Sequence[float], sizes: Sequence[float]) -> Estimate:
    """sum(counts) / sum(sizes) with an interval between images (or subjects), two at least.

    Linearised variance of a ratio (Cochran 1977, 6.3), Student's t, on the log scale. A percentile bootstrap of 5
    images covers the truth 83 times in 100, this 93 to 95 times. (value, NaN, NaN) where no interval can be had.
    """
    from scipy.stats import t

    counts, sizes = np.asarray(counts, float), np.asarray(sizes, float)
    n, total = len(counts), counts.sum()
    if not sizes.sum():
        return UNKNOWN
    rate = float(total / sizes.sum())
    if n < 2 or not total:
        return Estimate(rate, nan, nan)
    variance = n / (n - 1) * ((counts - rate * sizes) ** 2).sum()
    reach = float(t.ppf((1 + LEVEL) / 2, n - 1)) * sqrt(variance) / float(total)
    return Estimate(rate, rate * exp(-reach), rate * exp(min(reach, 700.0)))


def widest(one: Estimate, other: Estimate) -> Estimate:
    """The first value with an interval that holds both intervals; a missing one holds nothing."""
    low, high = np.fmin(one.low, other.low), np.fmax(one.high, other.high)
    return Estimate(one.value, float(low), float(high))


def subtract(one: Estimate, other: Estimate) -> Estimate:
    """Difference of independent estimates (MOVER: Donner & Zou 2012, Stat Methods Med Res 21:347); may be negative."""
    difference = one.value - other.value
    below = sqrt((one.value - one.low) ** 2 + (other.high - other.value) ** 2)
    above = sqrt((one.high - one.value) ** 2 + (other.value - other.low) ** 2)
    return Estimate(difference, difference - below, difference + above)


def divide(one: Estimate, other: Estimate) -> Estimate:
    """Ratio of independent estimates, `other` not negative (MOVER-R, Donner & Zou 2012).

    The upper end is infinite where `other` may be 0, both ends are where nothing can be said.
    """
    (x, low, high), (y, y_low, y_high) = one, other
    if any(np.isnan([*one, *other])):
        return UNKNOWN
    below = (x * y) ** 2 - low * y_high * (2 * x - low) * (2 * y - y_high)
    above = (x * y) ** 2 - high * y_low * (2 * x - high) * (2 * y - y_low)
    return Estimate(
        x / y if y else nan,
        divide_low(x, y, low, y_high, below),
        (x * y + sqrt(max(0.0, above))) / (y_low * (2 * y - y_low)) if y_low > 0 else inf,
    )


def divide_low(x: float, y: float, low: float, y_high: float, below: float) -> float:
    """Lower end of a ratio: two forms of one number, of which the first never divides by 0 where x > 0."""
    if below < 0:
        return -inf
    if x > 0:
        return low * (2 * x - low) / (x * y + sqrt(below))
    scale = y_high * (2 * y - y_high)
    return (x * y - sqrt(below)) / scale if scale > 0 else -inf


def hedges_g(one: Sequence[float], other: Sequence[float]) -> Estimate:
    """Difference of two groups' images in standard deviations of images (Hedges 1981), interval by its normal approximation."""
    n, m = len(one), len(other)
    if min(n, m) < 2:
        return UNKNOWN
    spread = ((n - 1) * np.var(one, ddof=1) + (m - 1) * np.var(other, ddof=1)) / (n + m - 2)
    if not spread > 0:
        return UNKNOWN
    shrink = 1 - 3 / (4 * (n + m - 2) - 1)
    g = shrink * float(np.mean(one) - np.mean(other)) / sqrt(spread)
    reach = 1.959964 * sqrt((n + m) / (n * m) + g**2 / (2 * (n + m)))
    return Estimate(g, g - reach, g + reach)


def permutation_p(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], seed: int
) -> float:
    """Two-sided p of two groups of images (counts, sizes) that have one mean: images change groups.

    All ways are tried where there are fewer than 10,000 of them. NaN for groups of one image, which prove nothing.
    """
    from scipy.stats import permutation_test

    counts, sizes = (np.concatenate([a, b]).astype(float) for a, b in zip(one, other, strict=True))
    n = len(one[0])
    if min(n, len(counts) - n) < 2:
        return nan

    def difference(a, b, axis):
        a, b = a.astype(int), b.astype(int)
        return counts[a].sum(axis) / sizes[a].sum(axis) - counts[b].sum(axis) / sizes[b].sum(axis)

    images = np.arange(len(counts))
    found = permutation_test(
        (images[:n], images[n:]), difference, vectorized=True, n_resamples=9999,
        random_state=np.random.default_rng(seed),
    )  # fmt: skip
    return float(found.pvalue)
