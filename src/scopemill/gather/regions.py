"""Regions: areas of classes, and objects by the region they lie in -> rows of regions.csv and images.csv."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import statistics
from . import tiles
from .summary import class_names, column_name

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "image", "object", "t", "region_of", "region", "class", "area_mm2", "area_px", "fraction", "fraction_low",
    "fraction_high", "n_tiles", "n", "density_per_mm2", "density_per_mm2_low", "density_per_mm2_high", "mean_distance_um",
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """What a quantify task found of all usable images, and what it stated of each."""

    task: str
    table: "pd.DataFrame"  # areas by tile, or objects
    statements: dict[str, dict[str, Any]]  # by image
    seed: int = 0
    cache: dict[Any, tiles.Areas] = field(default_factory=dict)

    @cached_property
    def by_image(self) -> dict[str, "pd.DataFrame"]:
        """Image -> its rows; images without any are absent."""
        return dict(list(self.table.groupby("image")))

    def rows(self, image: str) -> "pd.DataFrame":
        """Rows of one image."""
        return self.by_image.get(image, self.table.iloc[:0])

    def areas(self, image: str, t: int | None = None) -> tiles.Areas:
        """Areas of one image at a time point, or of all together."""
        statement = self.statements[image]
        t = None if statement["n_times"] == 1 else t
        if (image, t) not in self.cache:
            rows = self.rows(image)
            rows = rows if t is None else rows[rows["t"] == t]
            self.cache[image, t] = tiles.measure(rows, statement, self.seed)
        return self.cache[image, t]


def mm2_per_px(statement: dict[str, Any]) -> float:
    """Square millimetres a pixel; NaN where the pixel size is unknown."""
    size = statement["pixel_size_um"]
    return (size / 1000) ** 2 if size else float("nan")


def list_areas(measured: Measured) -> Iterator[dict[str, Any]]:
    """One row an image, time point, region and class of pixels."""
    for image, statement in measured.statements.items():
        for t in range(statement["n_times"]):
            found = measured.areas(image, t)
            for place, (region_of, region) in enumerate(found.places):
                for k, name in enumerate(found.classes):
                    at = (place, k)
                    yield {
                        "image": image, "object": measured.task, "t": t, "region_of": region_of, "region": region,
                        "class": name, "area_px": int(found.area_px[at]),
                        "area_mm2": found.area_px[at] * mm2_per_px(statement), "fraction": found.fraction[at],
                        "fraction_low": found.low[at], "fraction_high": found.high[at],
                        "n_tiles": int(found.n_tiles[place]),
                    }  # fmt: skip


def list_objects(measured: Measured) -> Iterator[dict[str, Any]]:
    """One row an image, time point, region and class of objects; regions without objects too."""
    classes = ["", *class_names(measured.table)]
    for image, statement in measured.statements.items():
        table = measured.rows(image)
        for area in statement["region_areas"]:
            column = column_name(area["region_of"])
            there = table[(table["t"] == area["t"]) & (table[column] == area["region"])]
            mm2 = area["area"] * mm2_per_px(statement)
            for name in classes:
                chosen = there[there["class"] == name] if name else there
                yield {
                    "image": image, "object": measured.task, **area, "class": name, "area_px": area["area"],
                    "area_mm2": mm2, "n": len(chosen), **find_density(len(chosen), mm2),
                    "mean_distance_um": mean_of(chosen, f"{column}_distance_um"),
                }  # fmt: skip


def mean_of(table: "pd.DataFrame", column: str) -> float:
    """Mean of a column; NaN where there is none."""
    return float(table[column].mean()) if column in table else float("nan")


def find_density(n: int, mm2: float) -> dict[str, float]:
    """Objects a square millimetre, with the exact Poisson interval; NaN where there is no area."""
    values = np.array([n, *statistics.poisson_interval(n)]) / (mm2 if mm2 > 0 else np.nan)
    names = ("density_per_mm2", "density_per_mm2_low", "density_per_mm2_high")
    return dict(zip(names, values.tolist(), strict=True))


def make_regions(areas: list[Measured], placed: list[Measured]) -> "pd.DataFrame":
    """The table regions.csv; empty where no task measures classes or regions."""
    import pandas as pd

    rows = [row for one in areas for row in list_areas(one)]
    rows += [row for one in placed for row in list_objects(one)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"n_tiles": "Int64", "n": "Int64"})


def summarise_images(
    images: "pd.DataFrame", areas: list[Measured], placed: list[Measured]
) -> "pd.DataFrame":
    """The images with areas and fractions of the whole image, and numbers of objects by region; all time points."""
    import pandas as pd

    parts = [images]
    for list_columns, tasks in ((list_fractions, areas), (list_numbers, placed)):
        for measured in tasks:
            rows = {image: dict(list_columns(measured, image)) for image in measured.statements}
            found = [rows.get(image, {}) for image in images["image"]]
            parts.append(pd.DataFrame(found, index=images.index))
    return pd.concat(parts, axis=1)


def list_numbers(measured: Measured, image: str) -> Iterator[tuple[str, float]]:
    """Columns of one image: objects in each region, with exact Poisson intervals."""
    table, regions = measured.rows(image), measured.statements[image]["regions"]
    taken = {column_name(name) for name in class_names(measured.table)}
    for region_of, names in regions.items():
        for name in names:
            # one region may have the name of another task's, or of a class of objects
            plain = len(regions) == 1 and column_name(name) not in taken
            stem = column_name(name if plain else f"{region_of}_{name}")
            n = int((table[column_name(region_of)] == name).sum())
            column = f"n_{column_name(measured.task)}_{stem}"
            yield column, n
            yield from zip(
                (f"{column}_low", f"{column}_high"), statistics.poisson_interval(n), strict=True
            )


def list_fractions(measured: Measured, image: str) -> Iterator[tuple[str, float]]:
    """Columns of one image: areas are the mean of the time points."""
    found, statement = measured.areas(image), measured.statements[image]
    for k, name in enumerate(found.classes):
        stem = f"{column_name(measured.task)}_{column_name(name)}"
        area = found.area_px[0, k] / statement["n_times"]
        if statement["pixel_size_um"]:
            yield f"area_{stem}_mm2", area * mm2_per_px(statement)
        else:
            yield f"area_{stem}_px", area
        if name in statement["whole"]:
            yield f"fraction_{stem}", found.fraction[0, k]
            yield f"fraction_{stem}_low", found.low[0, k]
            yield f"fraction_{stem}_high", found.high[0, k]
