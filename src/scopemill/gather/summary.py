"""Summaries: tables of objects and spots -> numbers an image and a group, each with its interval."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import statistics
from ..settings import QuantifyTask, settings
from .estimates import estimate_fraction, estimate_mean, find_clusters

if TYPE_CHECKING:
    import pandas as pd

KEY_COLUMNS = r"area_um2|volume_um3|n_.*|nucleus_cytoplasm_ratio_.*|ring_ratio_.*|intensity_mean_.*"
COLUMNS = (
    "group", "object", "region_of", "region", "class", "quantity", "value", "low", "high", "interval", "n_images",
    "n_objects",
)  # fmt: skip


@settings
class Fit:
    """A dose-response curve: the image's median of a column of objects against a number of the sheet."""

    object: QuantifyTask
    """The quantify task."""
    y: str
    """A column of its objects."""
    x: str
    """A column of the sheet: dose, concentration, time."""


def column_name(text: str) -> str:
    """A class or task as part of a column's name."""
    return re.sub(r"\W+", "_", str(text))


def class_names(objects: "pd.DataFrame") -> list[str]:
    """Classes that occur, in alphabetical order."""
    return sorted(objects["class"].dropna().unique()) if "class" in objects else []


def key_columns(objects: "pd.DataFrame", wanted: list[str] | None) -> list[str]:
    """Columns whose mean is worth a column of images.csv."""
    names = [name for name in objects if re.fullmatch(KEY_COLUMNS, str(name))]
    return [name for name in (wanted or names) if name in objects and objects[name].notna().any()]


def summarise_images(
    images: "pd.DataFrame",
    objects: "pd.DataFrame",
    spots: "pd.DataFrame",
    measured: Mapping[str, set[str]],
    means: list[str] | None,
) -> "pd.DataFrame":
    """The images with their counts, fractions and means; empty where a task passed over an image.

    `measured`: task (of quantify, or of detect for spots) -> the images that it measured.
    """
    import pandas as pd

    parts = [images]
    for kind, table in objects.groupby("object", sort=False):
        classes, columns = class_names(table), key_columns(table, means)
        of_image = table.groupby("image").indices
        rows = {
            image: summarise_image(kind, table.iloc[of_image.get(image, [])], classes, columns)
            for image in measured[kind]
        }
        parts.append(
            pd.DataFrame([rows.get(image, {}) for image in images["image"]], index=images.index)
        )
    for kind, table in spots.groupby("object", sort=False) if len(spots) else ():
        counts = table.groupby("image").size()
        values = [
            counts.get(image, 0) if image in measured[kind] else np.nan for image in images["image"]
        ]
        parts.append(pd.DataFrame({f"n_{column_name(kind)}": values}, index=images.index))
    return pd.concat(parts, axis=1)


def summarise_image(
    kind: str, table: "pd.DataFrame", classes: list[str], columns: list[str]
) -> dict[str, Any]:
    """Counts (exact Poisson), fractions (exact binomial) and means of one image's objects of one kind."""
    n, stem = len(table), column_name(kind)
    row: dict[str, Any] = {f"n_{stem}": n}
    row[f"n_{stem}_low"], row[f"n_{stem}_high"] = statistics.poisson_interval(n)
    for name in classes:
        hits, part = int((table["class"] == name).sum()), f"{stem}_{column_name(name)}"
        row |= {f"n_{part}": hits, f"fraction_{part}": hits / n if n else np.nan}
        row[f"fraction_{part}_low"], row[f"fraction_{part}_high"] = statistics.binomial_interval(
            hits, n
        )
    return row | {f"{stem}_{name}_mean": table[name].mean() for name in columns}


def summarise_groups(
    images: "pd.DataFrame",
    objects: "pd.DataFrame",
    group_by: str,
    means: list[str] | None,
    seed: int,
) -> "pd.DataFrame":
    """One row a group, kind of object, class and quantity: value, 95 % interval, and how that was found."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    good = images[images["status"] == "ok"]
    groups = split_groups(good, group_by)
    places = find_rows(objects, [members for _, members in groups])
    rows = []
    for (group, members), place in zip(groups, places, strict=True):
        chosen = objects.iloc[place]
        for kind, table in chosen.groupby("object", sort=False):
            rows += [
                {"group": group, "object": kind, "region_of": "", "region": "", **row}
                for row in summarise_group(table, members, means, rng)
            ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def find_rows(objects: "pd.DataFrame", groups: "list[pd.DataFrame]") -> list[np.ndarray]:
    """Numbers of the rows of objects in each group of images, found for all of them at once."""
    number = {image: n for n, members in enumerate(groups) for image in members["image"]}
    rows = objects.groupby(objects["image"].map(number)).indices
    return [rows.get(n, np.zeros(0, np.int64)) for n in range(len(groups))]


def split_groups(images: "pd.DataFrame", group_by: str) -> list[tuple[Any, "pd.DataFrame"]]:
    """Groups in order; images without a group are one of their own."""
    if group_by not in images:
        return [("all", images)]
    given = images[group_by].notna() & (images[group_by] != "")
    rest = [("(none)", images[~given])] if not given.all() else []
    return [*images[given].groupby(group_by, sort=True), *rest]


def summarise_group(
    table: "pd.DataFrame",
    members: "pd.DataFrame",
    means: list[str] | None,
    rng: np.random.Generator,
) -> Iterator[dict[str, Any]]:
    """Counts, fractions and means of one kind of object in one group of images."""
    clusters = find_clusters(table, members)
    for name in ("", *class_names(table)):
        chosen = table[table["class"] == name] if name else table
        shared = {"class": name, "n_images": len(members), "n_objects": len(chosen)}
        low, high = statistics.poisson_interval(len(chosen))
        yield shared | {
            "quantity": "count",
            "value": len(chosen),
            "low": low,
            "high": high,
            "interval": "exact Poisson",
        }
        if name:
            yield shared | {
                "quantity": "fraction",
                **estimate_fraction(chosen, table, clusters, rng),
            }
        for column in key_columns(chosen, means):
            yield shared | {
                "quantity": f"mean {column}",
                **estimate_mean(chosen, column, clusters, rng),
            }


def fit_curves(objects: "pd.DataFrame", fits: list[Fit]) -> "pd.DataFrame":
    """One row a curve: parameters, interval of EC50, number of images."""
    import pandas as pd

    rows = []
    for fit in fits:
        table = objects[objects["object"] == fit.object]
        points = table.groupby("image").agg(x=(fit.x, "first"), y=(fit.y, "median")).astype(float)
        curve = statistics.fit_logistic(points["x"].to_numpy(), points["y"].to_numpy())
        if curve:
            rows.append(
                {
                    "object": fit.object,
                    "y": fit.y,
                    "x": fit.x,
                    "n_images": len(points),
                    **vars(curve),
                }
            )
    return pd.DataFrame(rows)


def compare_expected(images: "pd.DataFrame") -> "pd.DataFrame":
    """Columns `expected_<column>` of the sheet against what was measured, one row an image and column."""
    import pandas as pd

    parts = []
    for expected in (name for name in images if str(name).startswith("expected_")):
        column = str(expected).removeprefix("expected_")
        if column in images:
            part = images[["image", expected, column]].set_axis(
                ["image", "expected", "measured"], axis=1
            )
            parts.append(part.dropna().assign(column=column))
    return (
        pd.concat(parts, ignore_index=True)[["column", "image", "expected", "measured"]]
        if parts
        else pd.DataFrame()
    )
