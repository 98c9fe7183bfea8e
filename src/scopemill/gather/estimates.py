"""Estimates: numbers of a group's objects -> a fraction or mean with an interval between images (or subjects): clusters."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import statistics

if TYPE_CHECKING:
    import pandas as pd

MIN_CLUSTERS = 5  # fewer images or subjects than this cannot be resampled


def find_clusters(table: "pd.DataFrame", members: "pd.DataFrame") -> "pd.Series":
    """What is resampled: the subject (where the sheet has one), else the image, of each object."""
    by = "subject" if "subject" in members else "image"
    return table["image"].map(members.set_index("image", drop=False)[by]).rename(by)


def estimate_fraction(
    hits: np.ndarray, totals: np.ndarray, by: str, rng: np.random.Generator
) -> dict[str, Any]:
    """Share of the objects, both by cluster (m,); between clusters where there are enough of them."""
    n, total = int(hits.sum()), int(totals.sum())
    if len(totals) < MIN_CLUSTERS:
        (low, high), words = statistics.binomial_interval(n, total), "exact binomial (objects)"
    else:
        (low, high), words = statistics.bootstrap_ratio(hits, totals, rng), f"bootstrap ({by}s)"
    return {"value": n / total, "low": low, "high": high, "interval": words}


def estimate_mean(
    values: np.ndarray, clusters: np.ndarray, n_clusters: int, by: str, rng: np.random.Generator
) -> dict[str, Any]:
    """Mean over objects with their clusters; the interval is between clusters, not between objects."""
    counts = np.bincount(clusters, minlength=n_clusters)
    if np.count_nonzero(counts) < MIN_CLUSTERS:
        (low, high), words = (np.nan, np.nan), f"needs {MIN_CLUSTERS} images"
    else:
        sums = np.bincount(clusters, values, n_clusters)
        (low, high), words = statistics.bootstrap_ratio(sums, counts, rng), f"bootstrap ({by}s)"
    return {"value": values.mean(), "low": low, "high": high, "interval": words}
