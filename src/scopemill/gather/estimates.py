"""Estimates: objects of a group of images -> a fraction or mean with an interval between images (or subjects)."""

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


def sum_by(values: "pd.Series", clusters: "pd.Series") -> np.ndarray:
    """Sums over clusters, in a fixed order, with zeros for clusters that have nothing."""
    order = sorted(clusters.unique())
    return (
        values.groupby(clusters.loc[values.index])
        .sum()
        .reindex(order, fill_value=0)
        .to_numpy(float)
    )


def estimate_fraction(
    chosen: "pd.DataFrame", table: "pd.DataFrame", clusters: "pd.Series", rng: np.random.Generator
) -> dict[str, Any]:
    """Share of the group's objects; between images where there are enough of them."""
    value = len(chosen) / len(table)
    if clusters.nunique() < MIN_CLUSTERS:
        low, high = statistics.binomial_interval(len(chosen), len(table))
        return {"value": value, "low": low, "high": high, "interval": "exact binomial (objects)"}
    ones = clusters.map(lambda _: 1.0)
    low, high = statistics.bootstrap_ratio(
        sum_by(ones.loc[chosen.index], clusters), sum_by(ones, clusters), rng
    )
    return {"value": value, "low": low, "high": high, "interval": f"bootstrap ({clusters.name}s)"}


def estimate_mean(
    chosen: "pd.DataFrame", column: str, clusters: "pd.Series", rng: np.random.Generator
) -> dict[str, Any]:
    """Mean over the group's objects; the interval is between images, not between objects."""
    values = chosen[column].dropna()
    if clusters.loc[values.index].nunique() < MIN_CLUSTERS:
        return {
            "value": values.mean(),
            "low": np.nan,
            "high": np.nan,
            "interval": f"needs {MIN_CLUSTERS} images",
        }
    low, high = statistics.bootstrap_ratio(
        sum_by(values, clusters), sum_by(values * 0 + 1, clusters), rng
    )
    return {
        "value": values.mean(),
        "low": low,
        "high": high,
        "interval": f"bootstrap ({clusters.name}s)",
    }
