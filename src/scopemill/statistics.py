"""Statistics: counts, fractions and means -> the same with 95 % intervals; dose-response fits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
DRAWS_AT_ONCE = 50_000  # of images, which a core's cache holds


def poisson_interval(count: float, level: float = LEVEL) -> tuple[float, float]:
    """Exact interval of a Poisson mean, given one count (Garwood 1936)."""
    low, high = poisson_intervals(np.array([count]), level)
    return float(low[0]), float(high[0])


def poisson_intervals(counts: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """The same of many counts: lower and upper ends."""
    from scipy.special import gammaincinv

    low = np.where(counts > 0, gammaincinv(counts, (1 - level) / 2), 0.0)
    return low, gammaincinv(counts + 1, (1 + level) / 2)


def binomial_interval(hits: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Exact interval of a fraction (Clopper & Pearson 1934); (0, 1) when nothing was counted."""
    low, high = binomial_intervals(np.array([hits]), np.array([n]), level)
    return float(low[0]), float(high[0])


def binomial_intervals(
    hits: np.ndarray, n: np.ndarray, level: float = LEVEL
) -> tuple[np.ndarray, np.ndarray]:
    """The same of many fractions: lower and upper ends."""
    from scipy.special import betaincinv

    low = np.where(hits > 0, betaincinv(hits, n - hits + 1, (1 - level) / 2), 0.0)
    return low, np.where(hits < n, betaincinv(hits + 1, n - hits, (1 + level) / 2), 1.0)


def bootstrap_ratio(
    above: Sequence[float],
    below: Sequence[float],
    rng: np.random.Generator,
    n_resamples: int = 2000,
) -> tuple[float, float]:
    """Interval of sum(above) / sum(below) when whole images (or subjects) are drawn again (percentile bootstrap).

    Cells of one image resemble each other; an interval over cells would be too narrow.
    """
    values, n = np.array([above, below], float), len(above)
    at_once = max(1, DRAWS_AT_ONCE // n)
    sums = np.empty((2, n_resamples))
    for first in range(0, n_resamples, at_once):
        some = sums[:, first : first + at_once]
        draws = rng.integers(0, n, (some.shape[1], n))
        for total, of in zip(some, values, strict=True):
            of[draws].sum(axis=1, out=total)
    tops, bottoms = sums
    ratios = tops[bottoms > 0] / bottoms[bottoms > 0]
    if not len(ratios):
        return float("nan"), float("nan")
    low, high = np.quantile(ratios, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class Logistic:
    """bottom + (top - bottom) / (1 + (ec50 / x) ** slope), with the interval of ec50."""

    bottom: float
    top: float
    ec50: float
    slope: float
    ec50_low: float
    ec50_high: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Response at x (>= 0)."""
        with np.errstate(divide="ignore"):
            return self.bottom + (self.top - self.bottom) / (
                1 + (self.ec50 / np.asarray(x, float)) ** self.slope
            )


def fit_logistic(x: np.ndarray, y: np.ndarray) -> Logistic | None:
    """Four-parameter logistic by least squares; None when the data do not hold one.

    The interval of ec50 is from the fit's covariance on the log scale (delta method, Student's t).
    """
    from scipy.optimize import curve_fit
    from scipy.stats import t

    x, y = np.asarray(x, float), np.asarray(y, float)
    fine = np.isfinite(x) & np.isfinite(y) & (x >= 0)
    x, y = x[fine], y[fine]
    if len(np.unique(x)) < 4 or np.ptp(y) == 0:
        return None

    def model(x, bottom, top, log_ec50, slope):
        return Logistic(bottom, top, np.exp(log_ec50), slope, 0, 0)(x)

    first, last = y[x == x.min()].mean(), y[x == x.max()].mean()
    start = [first, last, np.log(np.median(x[x > 0])), 2.0]
    try:
        best, covariance = curve_fit(
            model,
            x,
            y,
            start,
            bounds=([-np.inf, -np.inf, np.log(x[x > 0].min()) - 5, 0.05], np.inf),
            max_nfev=20_000,
        )
    except RuntimeError:
        return None
    reach = t.ppf((1 + LEVEL) / 2, max(1, len(x) - 4)) * np.sqrt(covariance[2, 2])
    bottom, top, log_ec50, slope = map(float, best)
    low, high = np.exp(log_ec50 - reach), np.exp(log_ec50 + reach)
    return Logistic(bottom, top, float(np.exp(log_ec50)), slope, float(low), float(high))
