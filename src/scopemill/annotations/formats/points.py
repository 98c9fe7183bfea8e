"""Points (CSV or TSV): one row a point, in columns y and x, and z, t, image, channel and class where there are such.

Numbers are those of spots.csv and of napari (whose columns axis-0, axis-1, ... are understood): the middle of the first
pixel and of the first plane is 0. A file without rows says that there is nothing in the image.
"""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import Skip
from ..table import make_table, outline_row
from ._file import File, Wanted, find_columns, read_rows, refuse

if TYPE_CHECKING:
    import pandas as pd

NAPARI = {2: ("y", "x"), 3: ("z", "y", "x"), 4: ("t", "z", "y", "x")}
EXPORT = "export it again as CSV with columns z, y, x"


def recognise(file: File) -> bool:
    """Text whose first line names columns y and x, or napari's axes."""
    names = set(find_columns(file)[0])
    return {"y", "x"} <= names or {"axis-0", "axis-1"} <= names


def read(file: File, wanted: Wanted) -> "pd.DataFrame":
    """Points -> table; the depth of a point, to a part of a plane, stands in its geometry."""
    rows = read_points(file)
    if "image" in rows and len(rows):
        rows = rows[rows["image"].isin(wanted.image)]
        if rows.empty:
            raise Skip("NO_ANNOTATION", f"{file.path}: lists no point of this image")
    values = {axis: read_numbers(file, rows, axis) for axis in "tzyx" if axis in rows}
    check_depth(file, values, wanted)
    return make_table(
        make_row(row, {axis: float(values[axis][n]) for axis in values})
        for n, (_, row) in enumerate(rows.iterrows())
    )


def read_points(file: File) -> "pd.DataFrame":
    """Cells as text, in columns of our names."""
    rows = read_rows(file)
    rows.columns = [str(name).strip() for name in rows.columns]
    n_axes = sum(f"axis-{i}" in rows for i in range(5))
    if "y" not in rows and n_axes in NAPARI:
        rows = rows.rename(columns={f"axis-{i}": name for i, name in enumerate(NAPARI[n_axes])})
    for axis in "yx":
        if axis not in rows:
            raise refuse(file, f"there is no column '{axis}'", EXPORT)
    return rows


def read_numbers(file: File, rows: "pd.DataFrame", axis: str) -> np.ndarray:
    """A column of finite numbers."""
    import pandas as pd

    numbers = pd.to_numeric(rows[axis], errors="coerce").to_numpy(np.float64)
    if not np.isfinite(numbers).all():
        n = int(np.argmax(~np.isfinite(numbers)))
        raise refuse(file, f"row {n + 1}: {axis} is {rows[axis].iloc[n]!r}, no number", EXPORT)
    return numbers


def check_depth(file: File, values: dict[str, np.ndarray], wanted: Wanted) -> None:
    """Refuse points above or below the stack; other sides are checked for all formats."""
    if wanted.shape is None or "z" not in values or not len(values["z"]):
        return
    low, high, planes = values["z"].min(), values["z"].max(), wanted.shape[1]
    if low < -0.5 or high > planes - 0.5:
        cause = f"planes {low:g} to {high:g}, the image has {planes} (from 0)"
        raise refuse(file, cause, "give z in planes, not in um", "ANNOTATION_FIT")


def make_row(row: Any, at: dict[str, float]) -> dict[str, Any]:
    """Row of one point."""
    import shapely

    place = (at["x"] + 0.5, at["y"] + 0.5)  # in a table, the first pixel spans 0 to 1
    more: dict[str, Any] = {"class": row.get("class", ""), "t": round(at["t"]) if "t" in at else -1}
    if "z" in at:
        place, more["z"] = (*place, at["z"]), max(0, round(at["z"]))
    if row.get("channel"):
        more["properties"] = json.dumps({"channel": row["channel"]})
    return outline_row("point", shapely.Point(place), **more)
