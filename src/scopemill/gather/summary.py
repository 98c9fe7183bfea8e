"""Summaries: tables of objects and spots -> numbers an image and a group, each with its interval."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import statistics
from ..metrics import divide
from ..settings import QuantifyTask, settings
from .estimates import estimate_fraction, estimate_mean
from .samples import Objects, Sample

if TYPE_CHECKING:
    import pandas as pd

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

    parts, all_objects = [images], Objects(objects, means)
    places = dict(zip(images["image"], range(len(images)), strict=True))
    of_object = np.array([places[one] for one in all_objects.images[1]], int)[all_objects.images[0]]
    for number, kind in enumerate(all_objects.kinds[1]):
        rows = np.flatnonzero(all_objects.kinds[0] == number)
        found = dict(list_columns(kind, all_objects, rows, of_object[rows], len(images)))
        looked = images["image"].isin(measured[kind])
        parts.append(pd.DataFrame(found, index=images.index)[looked].reindex(images.index))
    for kind, table in spots.groupby("object", sort=False) if len(spots) else ():
        counts = table.groupby("image").size()
        values = [
            counts.get(image, 0) if image in measured[kind] else np.nan for image in images["image"]
        ]
        parts.append(pd.DataFrame({f"n_{column_name(kind)}": values}, index=images.index))
    return pd.concat(parts, axis=1)


def list_columns(
    kind: str, objects: Objects, rows: np.ndarray, images: np.ndarray, n_images: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Counts (exact Poisson), fractions (exact binomial) and means of the objects of one kind.

    `rows` are theirs, `images` the number of the image of each.
    """
    n, stem = np.bincount(images, minlength=n_images), column_name(kind)
    yield f"n_{stem}", n
    yield from name_ends(f"n_{stem}", statistics.poisson_intervals(n))
    numbers, classes = objects.classes
    for k, name in enumerate(classes):
        chosen = images[numbers[rows] == k]
        if len(chosen):
            hits, part = np.bincount(chosen, minlength=n_images), f"{stem}_{column_name(name)}"
            yield f"n_{part}", hits
            yield f"fraction_{part}", divide(hits, n)
            yield from name_ends(f"fraction_{part}", statistics.binomial_intervals(hits, n))
    for name, column in objects.columns.items():
        values = column[rows]
        known = ~np.isnan(values)
        if known.any():
            sums = np.bincount(images[known], values[known], n_images)
            yield (
                f"{stem}_{name}_mean",
                divide(sums, np.bincount(images[known], minlength=n_images)),
            )


def name_ends(name: str, ends: tuple[np.ndarray, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """Columns of an interval."""
    return zip((f"{name}_low", f"{name}_high"), ends, strict=True)


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
    all_objects, rows = Objects(objects, means), []
    for sample in all_objects.samples(split_groups(good, group_by)):
        shared = {"group": sample.group, "object": sample.kind, "region_of": "", "region": ""}
        rows += [shared | row for row in summarise_sample(sample, all_objects, rng)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def split_groups(images: "pd.DataFrame", group_by: str) -> list[tuple[Any, "pd.DataFrame"]]:
    """Groups in order; images without a group are one of their own."""
    if group_by not in images:
        return [("all", images)]
    given = images[group_by].notna() & (images[group_by] != "")
    rest = [("(none)", images[~given])] if not given.all() else []
    return [*images[given].groupby(group_by, sort=True), *rest]


def summarise_sample(
    sample: Sample, objects: Objects, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Counts, fractions and means of all classes together, and of each that occurs."""
    totals, by = np.bincount(sample.clusters), sample.by
    numbers, classes = objects.classes
    class_of = numbers[sample.rows]
    for k in (None, *np.unique(class_of[class_of >= 0])):
        chosen = slice(None) if k is None else class_of == k
        rows, clusters = sample.rows[chosen], sample.clusters[chosen]
        name, n = "" if k is None else classes[k], len(rows)
        shared = {"class": name, "n_images": len(sample.members), "n_objects": n}
        low, high = statistics.poisson_interval(n)
        yield shared | {
            "quantity": "count", "value": n, "low": low, "high": high, "interval": "exact Poisson",
        }  # fmt: skip
        if name:
            hits = np.bincount(clusters, minlength=len(totals))
            yield shared | {"quantity": "fraction", **estimate_fraction(hits, totals, by, rng)}
        for column, all_values in objects.columns.items():
            values = all_values[rows]
            known = ~np.isnan(values)
            if known.any():
                found = estimate_mean(values[known], clusters[known], len(totals), by, rng)
                yield shared | {"quantity": f"mean {column}", **found}


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
