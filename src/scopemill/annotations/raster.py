"""Raster: table of annotations -> label image or class image of the image's size.

A pixel belongs to an outline that holds its centre; a centre on the outline belongs to it where the inside is to the
right or below (as Java2D, and so QuPath and ImageJ, fill), so that neighbours share no pixel and leave none out.
A slide is drawn window by window; windows put together are the image drawn at once.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import masks

if TYPE_CHECKING:
    import pandas as pd

MAX_CLASSES = 255
WITH_AREA = ("mask", "polygon", "box")
Window = tuple[slice, slice]  # y, x in pixels of the image


def to_labels(
    table: "pd.DataFrame", shape: tuple[int, ...], window: Window | None = None
) -> np.ndarray:
    """One time point's rows -> uint32 labels (Y, X) or (Z, Y, X); parts outside the image are cut off.

    `shape` is that of the image; with a `window` (y, x) only that part of it is drawn and given.

    Small objects lie over large ones, and later rows over earlier ones of their size. Points and lines have no area and
    are not drawn; `find_vanished` tells which objects have no pixel.

    Raises
    ------
    ValueError
        When the rows are of several time points, or of planes that `shape` does not have.
    """
    window = clip_window(window, shape)
    labels = np.zeros(size_of(window, shape), np.uint32)
    for row, where, mask in draw(table, shape, window):
        labels[where][mask] = row.label
    return labels


def to_classes(
    table: "pd.DataFrame",
    shape: tuple[int, ...],
    classes: Sequence[str],
    window: Window | None = None,
) -> np.ndarray:
    """One time point's rows -> uint8 classes (Y, X) or (Z, Y, X): 0 where there is none, 1 for the first of `classes`.

    Objects of other classes are left out; otherwise drawn as by `to_labels`, with its errors.
    """
    if len(classes) > MAX_CLASSES or len(set(classes)) < len(classes):
        raise ValueError(f"{list(classes)}: name each class once, and no more than {MAX_CLASSES}")
    numbers = {name: number for number, name in enumerate(classes, 1)}
    window = clip_window(window, shape)
    image = np.zeros(size_of(window, shape), np.uint8)
    for row, where, mask in draw(table[table["class"].isin(numbers)], shape, window):
        image[where][mask] = numbers[row.class_]
    return image


def find_vanished(table: "pd.DataFrame", labels: np.ndarray) -> list[int]:
    """Labels of objects that have no pixel: covered by others, too small for a pixel's centre, points, lines."""
    return sorted(set(table["label"].tolist()) - set(np.unique(labels).tolist()))


def clip_window(window: Window | None, shape: tuple[int, ...]) -> Window:
    """The window within an image of this shape; the whole plane when None."""
    asked = window or (slice(None), slice(None))
    y, x = (slice(*part.indices(size)[:2]) for part, size in zip(asked, shape[-2:], strict=True))
    return slice(y.start, max(y.start, y.stop)), slice(x.start, max(x.start, x.stop))


def size_of(window: Window, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the window, all planes of it."""
    return (*shape[:-2], *(part.stop - part.start for part in window))


def meets(table: "pd.DataFrame", window: Window) -> np.ndarray:
    """Which rows have a box that meets the window."""
    y, x = window
    low = (table["y0"] < y.stop) & (table["x0"] < x.stop)
    return (low & (table["y1"] > y.start) & (table["x1"] > x.start)).to_numpy(bool)


def draw(
    table: "pd.DataFrame", shape: tuple[int, ...], window: Window
) -> Iterator[tuple[Any, tuple[slice, ...], np.ndarray]]:
    """Row, its place in the window and its mask there, large objects first."""
    check_frame(table, shape)
    table = table[meets(table, window)]
    areas = measure_areas(table, shape)
    rows = list(table.rename(columns={"class": "class_"}).itertuples(index=False))
    for index in np.lexsort((np.arange(len(rows)), -areas)):
        if rows[index].kind in WITH_AREA:
            where, mask = cover(rows[index], shape, window)
            yield rows[index], where, mask


def check_frame(table: "pd.DataFrame", shape: tuple[int, ...]) -> None:
    """Refuse rows that do not belong into one image of this shape."""
    if table.loc[table["t"] >= 0, "t"].nunique() > 1:
        raise ValueError("rows of several time points; choose one with at_time(table, t)")
    planes = shape[0] if len(shape) == 3 else 1
    if len(table) and table["z"].max() >= planes:
        raise ValueError(
            f"a row is of plane {table['z'].max()}, the shape {shape} has {planes}; give (Z, Y, X)"
        )


def measure_areas(table: "pd.DataFrame", shape: tuple[int, ...]) -> np.ndarray:
    """Pixels (or voxels) that each row's object would have; 0 for points and lines."""
    import shapely

    areas = np.zeros(len(table))
    table = table.reset_index(drop=True)
    kinds = table["kind"].to_numpy()
    polygons = kinds == "polygon"
    if polygons.any():
        areas[polygons] = shapely.area(shapely.from_wkb(table["geometry"][polygons].to_list()))
    for index, row in enumerate(table.itertuples(index=False)):
        if row.kind == "box":
            areas[index] = (row.y1 - row.y0) * (row.x1 - row.x0)
        elif row.kind == "mask":
            areas[index] = unpack_row(row).sum()
        if len(shape) == 3 and row.z < 0:
            areas[index] *= shape[0]
    return areas


def unpack_row(row: Any) -> np.ndarray:
    """The mask of a mask's row, (Y, X) or (Z, Y, X)."""
    return masks.unpack(row.geometry, round(row.y1 - row.y0), round(row.x1 - row.x0))


def cover(row: Any, shape: tuple[int, ...], window: Window) -> tuple[tuple[slice, ...], np.ndarray]:
    """Place in a window of an image of this shape, and which pixels there are the object's."""
    y, x = window
    y0, x0 = max(int(np.floor(row.y0)), y.start), max(int(np.floor(row.x0)), x.start)
    y1 = max(min(int(np.ceil(row.y1)), y.stop), y0)
    x1 = max(min(int(np.ceil(row.x1)), x.stop), x0)
    if row.kind == "mask":
        top, left = round(row.y0), round(row.x0)
        mask = unpack_row(row)[..., y0 - top : y1 - top, x0 - left : x1 - left]
    else:
        mask = fill(outline_of(row), y0, x0, y1 - y0, x1 - x0)
    plane = (slice(y0 - y.start, y1 - y.start), slice(x0 - x.start, x1 - x.start))
    if len(shape) == 2:
        if mask.ndim == 3 and mask.shape[0] > 1:
            raise ValueError(f"object {row.label} has {mask.shape[0]} planes; give (Z, Y, X)")
        return plane, mask[0] if mask.ndim == 3 else mask
    if mask.ndim == 3:
        planes = slice(row.z, min(row.z + len(mask), shape[0]))
        return (planes, *plane), mask[: planes.stop - planes.start]
    planes = slice(0, shape[0]) if row.z < 0 else slice(row.z, row.z + 1)
    depth = planes.stop - planes.start
    return (planes, *plane), np.broadcast_to(mask, (depth, *mask.shape))


def outline_of(row: Any) -> Any:
    """The shapely geometry of a polygon's or a box's row."""
    import shapely

    if row.kind == "box":
        return shapely.box(row.x0, row.y0, row.x1, row.y1)
    return shapely.from_wkb(row.geometry)


def fill(geometry: Any, y0: int, x0: int, height: int, width: int) -> np.ndarray:
    """(height, width) booleans from pixel (y0, x0) on: whose centres lie in a polygon, or in any of several."""
    import shapely

    inside = np.zeros((height, width), bool)
    for polygon in shapely.get_parts(geometry):
        left, top, right, bottom = polygon.bounds
        x1, x2 = np.clip([int(np.floor(left)) - x0, int(np.ceil(right)) - x0], 0, width)
        y1, y2 = np.clip([int(np.floor(top)) - y0, int(np.ceil(bottom)) - y0], 0, height)
        inside[y1:y2, x1:x2] |= fill_one(polygon, y0 + y1, x0 + x1, y2 - y1, x2 - x1)
    return inside


def fill_one(polygon: Any, y0: int, x0: int, height: int, width: int) -> np.ndarray:
    """The same for one polygon with its holes: a centre is inside where the edges left of it are odd in number."""
    import shapely

    points, ring = shapely.get_coordinates(shapely.get_rings(polygon), return_index=True)
    edge = ring[1:] == ring[:-1]
    start, end = points[:-1][edge], points[1:][edge]
    # upwards and downwards edges give the same crossings, so that neighbours meet exactly
    down = start[:, 1] <= end[:, 1]
    low, high = np.where(down[:, None], start, end), np.where(down[:, None], end, start)
    first = np.clip(np.ceil(low[:, 1] - 0.5), y0, y0 + height).astype(np.int64)
    last = np.clip(np.ceil(high[:, 1] - 0.5), y0, y0 + height).astype(np.int64)
    count = last - first
    which = np.repeat(np.arange(len(count)), count)
    rows = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[which]
    slope = (high[which] - low[which])[:, 0] / (high[which] - low[which])[:, 1]
    crossing = low[which, 0] + (rows + 0.5 - low[which, 1]) * slope
    columns = np.clip(np.ceil(crossing - 0.5) - x0, 0, width).astype(np.int64)
    toggles = np.zeros((height, width + 1), np.uint8)
    np.add.at(toggles, (rows - y0, columns), 1)  # wraps at 256, which stays even
    return np.bitwise_xor.accumulate(toggles[:, :width] & 1, axis=1).astype(bool)
