"""Counting: true and found particles, in true and found cells -> how many are found in the right cell, and how many are not there.

What is asked is what a count per cell needs: a particle found in another cell is as good as lost, and a found cell is
counted whatever was made of the others. So particles of cells that were not found (IoU below 0.5) are left out.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import metrics
from ..metrics import Interval
from ..statistics import binomial_interval, poisson_interval


@dataclass(frozen=True, eq=False)
class CountScore:
    """Particles of one image and kind; all of them of cells that lie whole in the image."""

    n_truth: dict[str, int]  # by class of cell, in cells that were found
    n_found: dict[str, int]  # of these, in the right cell
    n_elsewhere: int  # of these, in another cell or in none
    n_false: dict[
        str, int
    ]  # found in cells, with no true one near; "": in cells that were not asked about
    megavoxels: dict[str, float]  # of the found cells, likewise
    n_cells: int  # true cells
    n_cells_found: int


def score_counts(
    truth: dict[str, np.ndarray],
    found: dict[str, np.ndarray],
    cells: tuple[np.ndarray, np.ndarray],
    classes: dict[int, str],
    max_distance: float,
    n_planes: int,
) -> CountScore:
    """Points are `at` (n, d) in voxels, and `cell` (n,), 0 where unbound; `cells` are true (y, x) and found labels.

    Found labels (z, y, x) are looked at from above to see which cell is which. `classes` are the true cells to ask about (such as those that lie whole in the image). A true and a found point
    are one within max_distance voxels.
    """
    true_cells, found_cells = cells
    above = found_cells.max(axis=0) if found_cells.ndim == 3 else found_cells
    pairs = metrics.match(true_cells, above).pairs
    partner = dict(zip(pairs["truth"].tolist(), pairs["predicted"].tolist(), strict=True))
    hits = metrics.match_points(truth["at"], found["at"], max_distance).pairs
    found_cell = np.full(len(truth["cell"]), -1)  # -1: not found
    found_cell[hits["truth"]] = found["cell"][hits["predicted"]]
    own = np.array([partner.get(int(cell), -2) for cell in truth["cell"]], int)
    asked = np.isin(truth["cell"], [cell for cell in classes if cell in partner])
    right = asked & (found_cell == own)
    of = np.array([classes.get(int(cell), "") for cell in truth["cell"]], object)
    names = sorted(set(classes.values()))
    class_of = {partner[cell]: name for cell, name in classes.items() if cell in partner}
    lonely = np.delete(found["cell"], hits["predicted"])
    n_lonely = Counter(class_of.get(int(cell), "") for cell in lonely[lonely > 0])
    depth = 1 if found_cells.ndim == 3 else n_planes
    voxels = Counter({"": 0})
    for cell, n in zip(*np.unique(found_cells[found_cells > 0], return_counts=True), strict=True):
        voxels[class_of.get(int(cell), "")] += int(n) * depth
    return CountScore(
        {name: int((asked & (of == name)).sum()) for name in names},
        {name: int((right & (of == name)).sum()) for name in names},
        int((asked & ~right & (found_cell >= 0)).sum()),
        {name: n_lonely[name] for name in ("", *names)},
        {name: voxels[name] / 1e6 for name in ("", *names)},
        len(classes),
        sum(cell in partner for cell in classes),
    )


def summarise_counts(
    scores: Sequence[CountScore], groups: Sequence[str], seed: int = 0, n_resamples: int = 2000
) -> dict[str, Interval]:
    """Efficiency, false per megavoxel (both also of each class, as `efficiency T`) and share found elsewhere, with intervals over images."""
    names = list_classes(scores)
    sums = {
        "truth": table([score.n_truth for score in scores], names),
        "found": table([score.n_found for score in scores], names),
        "elsewhere": np.array([score.n_elsewhere for score in scores], float),
        "false": table([score.n_false for score in scores], ["", *names]),
        "volume": table([score.megavoxels for score in scores], ["", *names]),
    }
    statistics = {
        "efficiency": lambda one: share(one["found"].sum(axis=1), one["truth"].sum(axis=1)),
        "elsewhere": lambda one: share(one["elsewhere"], one["truth"].sum(axis=1)),
        "false": lambda one: share(one["false"].sum(axis=1), one["volume"].sum(axis=1)),
    }
    for i, name in enumerate(names):
        statistics[f"efficiency {name}"] = lambda one, i=i: share(one["found"][:, i], one["truth"][:, i])  # fmt: skip
        statistics[f"false {name}"] = lambda one, i=i: share(one["false"][:, i + 1], one["volume"][:, i + 1])  # fmt: skip
    return metrics.bootstrap_sums(
        sums, statistics, groups=groups, rng=np.random.default_rng(seed), n_resamples=n_resamples
    )


def list_classes(scores: Sequence[CountScore]) -> list[str]:
    """Classes that any image has."""
    return sorted({name for score in scores for name in score.n_truth})


def table(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> np.ndarray:
    """(rows, names), 0 where a row has no such name."""
    return np.array([[row.get(name, 0) for name in names] for row in rows], float)


def describe_counts(scores: Sequence[CountScore], groups: Sequence[str]) -> dict[str, Any]:
    """Figures by name, and `by_class` where there are several; 95 % intervals are never narrower than counting allows."""
    found, names = summarise_counts(scores, groups), list_classes(scores)
    hits, total = (table(rows, names).sum(axis=0).astype(int) for rows in zip(*((s.n_found, s.n_truth) for s in scores), strict=True))  # fmt: skip
    false, voxels = (table(rows, ["", *names]).sum(axis=0) for rows in zip(*((s.n_false, s.megavoxels) for s in scores), strict=True))  # fmt: skip
    by_class = {
        name: describe_efficiency(found[f"efficiency {name}"], hits[i], total[i])
        | describe_false(found[f"false {name}"], false[i + 1], voxels[i + 1])
        for i, name in enumerate(names)
        if hits[i] and len(names) > 1
    }
    # a class of which an image may show nothing has no efficiency to divide by
    by_class = {name: one for name, one in by_class.items() if one["efficiency_low"] > 0}
    figures = describe_efficiency(found["efficiency"], hits.sum(), total.sum())
    figures |= describe_false(found["false"], false.sum(), voxels.sum())
    return figures | {
        "elsewhere": found["elsewhere"].estimate,
        "cells_found": float(share(sum(s.n_cells_found for s in scores), sum(s.n_cells for s in scores))),
        "n_particles": int(total.sum()), "n_false": int(false.sum()), "megavoxels": float(voxels.sum()),
        "by_class": by_class,
    }  # fmt: skip


def describe_efficiency(interval: Interval, hits: int, n: int) -> dict[str, float]:
    """The three figures of an efficiency."""
    ends = widen(interval, binomial_interval(int(hits), int(n)))
    return dict(zip(("efficiency", "efficiency_low", "efficiency_high"), ends, strict=True))


def describe_false(interval: Interval, n: float, megavoxels: float) -> dict[str, float]:
    """The three figures of false particles."""
    ends = [float(share(end, megavoxels)) for end in poisson_interval(int(n))]
    values = widen(interval, ends)
    return dict(zip(("false_per_megavoxel", "false_low", "false_high"), values, strict=True))


def widen(interval: Interval, least: Sequence[float]) -> tuple[float, float, float]:
    """Estimate, low and high: the outer ends of both intervals."""
    low, high = np.fmin(interval.low, least[0]), np.fmax(interval.high, least[1])
    value = interval.estimate
    return value, float(np.fmin(low, value)), float(np.fmax(high, value))


def share(part, whole) -> np.ndarray:
    """Part / whole; NaN where there is nothing."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
