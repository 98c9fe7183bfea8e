"""The table of annotations: label images, boxes and outlines -> one DataFrame, one row an object.

label       uint32 from 1, unique in the image
class, name text, "" where there is none
kind        mask, polygon, line, point or box
y0 x0 y1 x1 box in pixels, half open; pixel (0, 0) spans 0 to 1
t, z        time point and plane, -1 for all; z of a mask with depth is its first plane
score       confidence, NaN where there is none
geometry    polygon, line, point: WKB in (x, y); mask: see masks.py; box: empty
properties  JSON: what else the file said, kept so that writing the same format loses nothing
"""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import masks
from .raster import WITH_AREA, find_vanished, to_classes, to_labels

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["at_time", "boxes", "find_vanished", "from_labels", "make_table", "to_classes", "to_labels"]  # fmt: skip

COLUMNS = {
    "label": "uint32", "class": str, "name": str, "kind": str, "y0": "float64", "x0": "float64", "y1": "float64",
    "x1": "float64", "t": "int32", "z": "int32", "score": "float64", "geometry": object, "properties": str,
}  # fmt: skip
REST = {"class": "", "name": "", "t": -1, "z": -1, "score": float("nan"), "geometry": b"", "properties": "{}"}  # fmt: skip
DENSE_LABELS = 1 << 24


def make_table(rows: Iterable[Mapping[str, Any]]) -> "pd.DataFrame":
    """Rows of `outline_row`, `box_row` and `mask_row` -> the table; labels count from 1 where rows have none."""
    import pandas as pd

    rows = list(rows)
    filled = [{"label": number, **REST, **row} for number, row in enumerate(rows, 1)]
    columns = {
        name: pd.Series([row[name] for row in filled], dtype=dtype)
        for name, dtype in COLUMNS.items()
    }
    return pd.DataFrame(columns)


def outline_row(kind: str, shape: Any, **more: Any) -> dict[str, Any]:
    """Row of a polygon, line or point, given as a shapely geometry."""
    import shapely

    x0, y0, x1, y1 = shape.bounds
    return {"kind": kind, "y0": y0, "x0": x0, "y1": y1, "x1": x1, "geometry": shapely.to_wkb(shape), **with_text(more)}  # fmt: skip


def box_row(y0: float, x0: float, y1: float, x1: float, **more: Any) -> dict[str, Any]:
    """Row of a box."""
    return {"kind": "box", "y0": y0, "x0": x0, "y1": y1, "x1": x1, **with_text(more)}


def mask_row(mask: np.ndarray, corner: tuple[int, ...], **more: Any) -> dict[str, Any]:
    """Row of a mask (Y, X) or (Z, Y, X), boolean, whose first pixel lies at `corner` of the image."""
    y0, x0 = corner[-2:]
    height, width = mask.shape[-2:]
    first = {"z": int(corner[0])} if mask.ndim == 3 else {}
    return {
        "kind": "mask", "y0": y0, "x0": x0, "y1": y0 + height, "x1": x0 + width, "geometry": masks.pack(mask),
        **first, **with_text(more),
    }  # fmt: skip


def with_text(more: dict[str, Any]) -> dict[str, Any]:
    """Properties as JSON text."""
    if isinstance(more.get("properties"), dict):
        return {**more, "properties": json.dumps(more["properties"], sort_keys=True)}
    return more


def from_labels(
    labels: np.ndarray, classes: Mapping[int, str] | str | None = None, t: int = -1
) -> "pd.DataFrame":
    """Label image (Y, X) or (Z, Y, X), 0 background -> one mask an object, its number kept.

    `classes` is the class of each number, or of all.
    """
    named = classes if isinstance(classes, Mapping) else {}
    rest = classes if isinstance(classes, str) else ""
    return make_table(
        mask_row(mask, corner, label=number, t=t, **{"class": named.get(number, rest)})
        for number, mask, corner in split_labels(labels)
    )


def split_labels(labels: np.ndarray) -> Iterable[tuple[int, np.ndarray, tuple[int, ...]]]:
    """Number, mask and first pixel of each object of a label image."""
    from scipy import ndimage

    values = None
    if labels.size and labels.max() >= DENSE_LABELS:  # find_objects makes a list of that length
        values, dense = np.unique(labels, return_inverse=True)
        labels = (dense + (values[0] != 0)).reshape(labels.shape)
        values = values if values[0] == 0 else np.insert(values, 0, 0)
    for number, where in enumerate(ndimage.find_objects(labels), 1):
        if where is not None:
            true = int(values[number]) if values is not None else number
            yield true, labels[where] == number, tuple(part.start for part in where)


def at_time(table: "pd.DataFrame", t: int) -> "pd.DataFrame":
    """Rows of one time point, those of all time points included."""
    return table[table["t"].isin([-1, t])].reset_index(drop=True)


def boxes(table: "pd.DataFrame") -> np.ndarray:
    """(n, 4) float64 (y0, x0, y1, x1) of all rows but points and lines, which have no box."""
    with_area = table[table["kind"].isin(WITH_AREA)]
    return with_area[["y0", "x0", "y1", "x1"]].to_numpy(np.float64)
