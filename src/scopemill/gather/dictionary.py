"""Data dictionary: every column of every result table -> unit and meaning."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..columns import describe
from . import particle_columns
from .summary import column_name

if TYPE_CHECKING:
    import pandas as pd

SUMMARY = {
    "group": ("", "value of the column by which images are grouped"),
    "region_of": ("", "class task that gives the region; empty: the whole image"),
    "region": ("", "class of that task, in which the objects or areas lie"),
    "class": ("", "class of the objects (empty: all), or of the pixels"),
    "quantity": (
        "",
        "what the value is: count, fraction, mean of a column, fraction of an area, or density",
    ),
    "value": ("as the column", "the estimate"),
    "low": ("as value", "lower end of the 95 % interval"),
    "high": ("as value", "upper end of the 95 % interval"),
    "interval": ("", "how the interval was found, and what was resampled"),
    "n_images": ("", "images in the group"),
    "n_objects": ("", "objects that the value is of; 0 for areas"),
}
REGIONS = {
    "object": ("", "the quantify task"),
    "region_of": SUMMARY["region_of"],
    "region": SUMMARY["region"],
    "class": SUMMARY["class"],
    "area_mm2": ("mm2", "area of the class in the region; for objects, of the region; empty when the pixel size is unknown"),
    "area_px": ("px", "the same in pixels"),
    "fraction": ("", "share of the class in the region's area, that is of the classes in the setting `whole` together; empty where there is none of it"),
    "fraction_low": ("", "lower end of the 95 % interval, by drawing tiles again"),
    "fraction_high": ("", "upper end of the 95 % interval, by drawing tiles again"),
    "n_tiles": ("", "tiles with something of the region, which the interval draws again; fewer than 5 give none"),
    "n": ("", "number of objects in the region"),
    "density_per_mm2": ("1/mm2", "objects a square millimetre of the region"),
    "density_per_mm2_low": ("1/mm2", "lower end of the exact 95 % Poisson interval"),
    "density_per_mm2_high": ("1/mm2", "upper end of the exact 95 % Poisson interval"),
    "mean_distance_um": ("um", "mean distance of the objects' centroids to the region's border"),
}  # fmt: skip

PLATES = {
    **{name: SUMMARY[name] for name in ("class", "quantity", "value", "low", "high", "interval")},
    "object": REGIONS["object"],
    "plate": ("", "from the image sheet; empty where it names none"),
    "well": ("", "row and column of the plate"),
    "row": ("", "row of the plate, A is 1"),
    "column": ("", "column of the plate, from 1"),
    "n_images": ("", "images (fields) of the well"),
    "n_objects": SUMMARY["n_objects"],
}


def make_dictionary(
    described: Mapping[str, "pd.DataFrame"],
    metadata: list[str],
    regions: Mapping[str, str] | None = None,
) -> "pd.DataFrame":
    """One row a table and column; `regions`: column of objects -> class task whose regions it holds."""
    import pandas as pd

    kinds = [column_name(kind) for kind in described["objects"]["object"].unique()]
    rows = []
    for table, frame in described.items():
        for name in map(str, frame.columns):
            unit, meaning = describe_column(name, table, metadata, kinds)
            if table == "objects" and name in (regions or {}):
                unit, meaning = "", f"class of {regions[name]} in which the object's centroid lies"
            rows.append({"table": table, "column": name, "unit": unit, "meaning": meaning})
    return pd.DataFrame(rows, columns=["table", "column", "unit", "meaning"])


def describe_column(
    name: str, table: str, metadata: list[str], kinds: list[str]
) -> tuple[str, str]:
    """Unit and meaning of one column of one table."""
    if name in metadata:
        return "", "from the image sheet"
    own = {"summary": SUMMARY, "regions": REGIONS, "plates": PLATES, **particle_columns.TABLES}.get(
        table, {}
    )
    if name in own:
        return own[name]
    for kind in kinds:
        # all columns that begin with a kind are means; its end must not be taken for a channel's
        column = name.removeprefix(f"{kind}_").removesuffix("_mean")
        if name == f"{kind}_{column}_mean" and (found := describe(column)):
            return found[0], f"{kind}: mean over the image's objects of: {found[1]}"
    return describe(name) or ("", "")
