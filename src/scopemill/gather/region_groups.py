"""Region groups: areas and densities of the images of a group -> rows of summary.csv, with intervals between images."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import statistics
from .estimates import MIN_CLUSTERS, find_clusters
from .regions import Measured, find_density, list_objects
from .summary import COLUMNS, column_name, split_groups

if TYPE_CHECKING:
    import pandas as pd


def summarise_groups(
    images: "pd.DataFrame",
    areas: list[Measured],
    placed: list[Measured],
    group_by: str,
    seed: int,
) -> "pd.DataFrame":
    """One row a group, task, region, class and quantity: value, 95 % interval, and how that was found."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    rows = []
    for group, members in split_groups(images[images["status"] == "ok"], group_by):
        for function, tasks in ((summarise_fractions, areas), (summarise_densities, placed)):
            for one in tasks:
                shared = {"group": group, "object": one.task}
                rows += [shared | row for row in function(one, members, rng)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def summarise_fractions(
    measured: Measured, members: "pd.DataFrame", rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Fraction of each class in each region over the images of a group, with its interval."""
    chosen = comparable(measured, members)
    if not chosen:
        return
    found = {image: measured.areas(image) for image in chosen}
    scale = {image: measured.statements[image]["pixel_size_um"] or 1.0 for image in chosen}
    first = found[chosen[0]]
    for place, (region_of, region) in enumerate(first.places):
        for k, name in enumerate(first.classes):
            if name not in measured.statements[chosen[0]]["whole"]:
                continue
            above = [found[image].area_px[place, k] * scale[image] ** 2 for image in chosen]
            below = [found[image].whole_px[place, 0] * scale[image] ** 2 for image in chosen]
            one = {"value": first.fraction[place, k], "low": first.low[place, k], "high": first.high[place, k]}  # fmt: skip
            yield {
                "class": name, "region_of": region_of, "region": region, "quantity": f"fraction_{column_name(name)}",
                "n_images": len(chosen), "n_objects": 0,
                **({**one, "interval": "bootstrap (tiles)"} if len(chosen) == 1 else estimate_ratio(chosen, members, above, below, rng)),
            }  # fmt: skip


def comparable(measured: Measured, members: "pd.DataFrame") -> list[str]:
    """Images of a group that were measured; only those of known pixel size where there are any."""
    chosen = [image for image in members["image"] if image in measured.statements]
    known = [image for image in chosen if measured.statements[image]["pixel_size_um"]]
    return known or chosen


def estimate_ratio(
    chosen: list[str],
    members: "pd.DataFrame",
    above: list[float],
    below: list[float],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Sum over sum; the interval is between images (or subjects) where there are enough of them."""
    import pandas as pd

    sums = pd.DataFrame({"image": chosen, "above": above, "below": below})
    clusters = find_clusters(sums, members)
    value = sums["above"].sum() / sums["below"].sum() if sums["below"].sum() else np.nan
    if clusters.nunique() < MIN_CLUSTERS:
        return {"value": value, "low": np.nan, "high": np.nan, "interval": f"needs {MIN_CLUSTERS} {clusters.name}s"}  # fmt: skip
    by = sums[["above", "below"]].groupby(clusters).sum().sort_index()
    low, high = statistics.bootstrap_ratio(by["above"].to_numpy(), by["below"].to_numpy(), rng)
    return {"value": value, "low": low, "high": high, "interval": f"bootstrap ({clusters.name}s)"}


def summarise_densities(
    measured: Measured, members: "pd.DataFrame", rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Objects a square millimetre of each region over the images of a group, with its interval."""
    import pandas as pd

    mine = [
        image
        for image in comparable(measured, members)
        if measured.statements[image]["pixel_size_um"]
    ]
    if not mine:
        return
    kept = Measured(
        measured.task, measured.table, {image: measured.statements[image] for image in mine}
    )
    rows = pd.DataFrame(list_objects(kept))
    for (region_of, region, name), table in rows.groupby(
        ["region_of", "region", "class"], sort=False
    ):
        sums = table.groupby("image")[["n", "area_mm2"]].sum().reindex(mine)
        n, mm2 = int(sums["n"].sum()), float(sums["area_mm2"].sum())
        found = estimate_ratio(mine, members, sums["n"].tolist(), sums["area_mm2"].tolist(), rng)
        if np.isnan(found["low"]):
            value, low, high = find_density(n, mm2).values()
            found = {"value": value, "low": low, "high": high, "interval": "exact Poisson"}
        yield {
            "class": name, "region_of": region_of, "region": region, "quantity": "density_per_mm2",
            "n_images": len(mine), "n_objects": n, **found,
        }  # fmt: skip
