"""Intervals: scores of images -> the same with 95 % intervals, by drawing images (or groups of them) again."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

Statistic = Callable[[dict[str, np.ndarray]], np.ndarray]


class Interval(NamedTuple):
    estimate: float
    low: float
    high: float


def bootstrap_interval(
    items: Sequence, statistic, *, rng, n_resamples=1000, level=0.95, groups=None
) -> Interval:
    """Percentile bootstrap of `statistic(list of items) -> float`, with `rng` a numpy Generator.

    Resamples items, or the groups that `groups` names for each item, whole: an image of one patient
    says little new about another. Fewer than two of them carry no spread: the ends are then NaN.
    """
    members: dict = {}
    for item, group in zip(items, range(len(items)) if groups is None else groups, strict=True):
        members.setdefault(group, []).append(item)
    units, values = list(members.values()), []
    if len(units) > 1:
        draws = rng.integers(len(units), size=(n_resamples, len(units)))
        values = [statistic([item for k in draw for item in units[k]]) for draw in draws]
    return to_interval(float(statistic(list(items))), values, level)


def bootstrap_sums(
    counts: Mapping[str, np.ndarray],
    statistics: Mapping[str, Statistic],
    *,
    rng: np.random.Generator,
    n_resamples: int = 1000,
    level: float = 0.95,
    groups: Sequence[Hashable] | None = None,
) -> dict[str, Interval]:
    """`bootstrap_interval` of scores that follow from sums: counts (items, ...) are added up, never matched again.

    A statistic maps the sums, (m, ...) by name, to m scores. The draws are those of `bootstrap_interval`.
    """
    counts = {name: np.asarray(values, float) for name, values in counts.items()}
    n_items = len(next(iter(counts.values())))
    n_of, unit = draw_units(n_items, groups, rng, n_resamples)
    whole = {name: values.sum(axis=0, keepdims=True) for name, values in counts.items()}
    drawn = {name: draw_sums(values, n_of, unit) for name, values in counts.items()}
    return {
        name: to_interval(float(statistic(whole)[0]), statistic(drawn), level)
        for name, statistic in statistics.items()
    }


def draw_sums(values: np.ndarray, n_of: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Values (items, ...) -> their sums in each resample, (n_resamples, ...)."""
    sums = np.zeros((n_of.shape[1], *values.shape[1:]))
    np.add.at(sums, unit, values)
    return np.tensordot(n_of, sums, axes=1)


def draw_units(
    n_items: int, groups: Sequence[Hashable] | None, rng: np.random.Generator, n_resamples: int
) -> tuple[np.ndarray, np.ndarray]:
    """How often each unit (item or group) is drawn, (n_resamples, units), and the unit of each item.

    Fewer than two units carry no spread: there are no resamples then.
    """
    number: dict[Hashable, int] = {}
    names = range(n_items) if groups is None else groups
    unit = np.array([number.setdefault(name, len(number)) for name in names], int)
    if len(unit) != n_items:
        raise ValueError(f"{len(unit)} groups for {n_items} items")
    n = len(number)
    if n < 2:
        return np.empty((0, n), np.float32), unit
    draws = rng.integers(n, size=(n_resamples, n)) + n * np.arange(n_resamples)[:, None]
    return np.bincount(draws.ravel(), minlength=n_resamples * n).reshape(-1, n), unit


def to_interval(estimate: float, values: Sequence[float], level: float = 0.95) -> Interval:
    """The percentile interval; NaN where there are no values, which are passed over where they are NaN."""
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    if not len(values):
        return Interval(estimate, float("nan"), float("nan"))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high))
