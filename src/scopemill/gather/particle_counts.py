"""Particle counts: samples -> how many cells have how many particles, against what chance alone would give."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .particles import Counted, Particles

if TYPE_CHECKING:
    import pandas as pd


def bin_cells(counted: list[Counted], task: str, own: Particles, most: int = 30) -> "pd.DataFrame":
    """How many cells have so many particles, and how many would by chance alone: the Poisson of the same mean."""
    import pandas as pd

    return pd.DataFrame(
        [
            {"group": one.group, "object": own.objects, "spots": task, "class": one.class_, "kind": one.kind, **row}
            for one in counted
            for row in list_bins(one.sample.counts, most)
        ]
    )  # fmt: skip


def list_bins(counts: np.ndarray, most: int) -> Iterator[dict[str, Any]]:
    """Bins of equal width from the least to the largest count, not more than `most`."""
    from scipy.stats import poisson

    if not len(counts):
        return
    low, high = int(counts.min()), int(counts.max())
    width = -(-(high - low + 1) // most)
    for first in range(low, high + 1, width):
        last = first + width - 1
        share = poisson.cdf(last, counts.mean()) - poisson.cdf(first - 1, counts.mean())
        yield {
            "count_from": first, "count_to": last,
            "n_cells": int(((counts >= first) & (counts <= last)).sum()),
            "n_cells_expected": float(len(counts) * share),
        }  # fmt: skip
