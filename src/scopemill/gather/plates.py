"""Plates: tables of images and objects -> one row a plate, well, kind of object, class and quantity.

Fields of a well are put together. Which columns of the sheet name it: wells.py.
"""

from typing import TYPE_CHECKING

from .. import statistics
from ..wells import find_wells
from . import summary
from .summary import column_name

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("plate", "well", "row", "column")
VALUES = ("object", "class", "quantity", "value", "low", "high", "interval", "n_images", "n_objects")  # fmt: skip


def make_plates(
    images: "pd.DataFrame", objects: "pd.DataFrame", means: list[str] | None, seed: int
) -> "pd.DataFrame":
    """Counts, fractions and means of each well, with their intervals; empty where the sheet names no wells.

    A well in which a task looked and found nothing has a count of 0.
    """
    import pandas as pd

    good = images[images["status"] == "ok"]
    wells = find_wells(good).dropna(subset=["well"])
    if wells.empty:
        return pd.DataFrame(columns=[*KEYS, *VALUES])
    placed = good[["image", "status", *(["subject"] if "subject" in good else [])]].join(wells, how="inner")  # fmt: skip
    number = placed.groupby(list(KEYS), sort=True).ngroup()
    found = summary.summarise_groups(placed.assign(place=number), objects, "place", means, seed)
    nothing = count_nothing(good.loc[placed.index], number, found)
    found = pd.concat([found, nothing]) if len(nothing) else found
    keys = placed.assign(group=number)[["group", *KEYS]].drop_duplicates()
    rows = keys.merge(found.astype({"group": int}), on="group").sort_values(
        ["group", "object", "class"], kind="stable", ignore_index=True
    )
    return rows[[*KEYS, *VALUES]]


def count_nothing(
    images: "pd.DataFrame", number: "pd.Series", found: "pd.DataFrame"
) -> "pd.DataFrame":
    """Rows with a count of 0, where images of a well were looked at and no object of a kind was found."""
    import pandas as pd

    low, high = statistics.poisson_interval(0)
    zero = {"class": "", "quantity": "count", "value": 0, "low": low, "high": high, "interval": "exact Poisson"}  # fmt: skip
    rows = []
    for kind in found["object"].unique():
        column = f"n_{column_name(kind)}"
        looked = number[images[column].notna()] if column in images else number[:0]
        seen = set(found.loc[found["object"] == kind, "group"])
        for group, n_images in looked.value_counts().items():
            if group not in seen:
                rows.append({"group": group, "object": kind, "n_images": n_images, "n_objects": 0, **zero})  # fmt: skip
    return pd.DataFrame(rows, columns=list(summary.COLUMNS))
