"""Regions: class image + objects -> the class that each object lies in, and how far from that region's border."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..frames import Frame
from ..settings import ConfigError, nearest

if TYPE_CHECKING:
    import pandas as pd

MAX_PX = 4096  # a side of the class image that distances are measured on; exact for images up to it


def column_of(task: str) -> str:
    """A class task as the name of a column."""
    return task.replace("-", "_")


def check_names(frame: Frame, task: str, wanted: Sequence[str]) -> list[str]:
    """The wanted names, which the class task must have.

    Raises
    ------
    ConfigError
        Naming the class that there is not.
    """
    known = frame.class_names(task)
    for name in wanted:
        if name not in known:
            raise ConfigError(f"segment.{task} has no class '{name}'{nearest(name, known)}")
    return list(wanted)


def read_classes(frame: Frame, task: str, shape: tuple[int, ...]) -> np.ndarray:
    """The class image of the frame's window in this shape; one plane serves all of a stack.

    Raises
    ------
    ConfigError
        When classes have planes and the labels have none.
    """
    classes = frame.classes(task)
    if classes.ndim > len(shape):
        raise ConfigError(
            f"segment.{task} has planes and the objects have none; set the same z in both tasks"
        )
    return np.broadcast_to(classes, shape)


def look_up(
    frame: Frame,
    task: str,
    own: np.ndarray,
    objects: "pd.DataFrame",
    nuclei: np.ndarray | None = None,
) -> np.ndarray:
    """Class name of each object, numbered from 1 in `own` in the order of its rows.

    It is the class that most pixels of its nucleus have, where `nuclei` (of the shape of `own`) tells which those are:
    a cell that was grown around its nucleus reaches into the next region. Else it is the class under the centroid; where
    that is the background (a cell on the very border, a ring), the one that most of the object's pixels have.
    """
    names = np.array(frame.class_names(task), dtype=object)
    classes = read_classes(frame, task, own.shape)
    numbers = take_under_centroids(frame, classes, objects)
    if nuclei is not None:
        most = find_most(np.where(nuclei, own, 0), classes, len(objects), len(names))
        numbers = np.where(most >= 0, most, numbers)
    if (numbers == 0).any():
        most = find_most(own, classes, len(objects), len(names))
        numbers = np.where((numbers == 0) & (most > 0), most, numbers)
    return names[numbers]


def take_under_centroids(frame: Frame, classes: np.ndarray, objects: "pd.DataFrame") -> np.ndarray:
    """The class (N,) at the pixel of each object's centroid."""
    axes = [f"centroid_{axis}" for axis in "zyx"[-classes.ndim :]]
    points = np.floor(objects[axes].to_numpy(float) + 0.5).astype(np.int64)
    points[:, -2:] -= [part.start for part in frame.window]
    points = np.clip(points, 0, np.array(classes.shape) - 1)
    return classes[tuple(points.T)].astype(np.int64)


def find_most(own: np.ndarray, classes: np.ndarray, n: int, n_classes: int) -> np.ndarray:
    """The class (n,) that most pixels of each object have, of equals not the background; -1 of objects without pixels."""
    pairs = own.ravel().astype(np.int64) * n_classes + classes.ravel()
    counts = np.bincount(pairs, minlength=(n + 1) * n_classes)
    # the background is put last, for argmax takes the first of equals
    counts = np.roll(counts.reshape(-1, n_classes)[1 : n + 1], -1, axis=1)
    return np.where(counts.any(axis=1), (counts.argmax(axis=1) + 1) % n_classes, -1)


def add_distances(table: "pd.DataFrame", frame: Frame, task: str) -> "pd.DataFrame":
    """The table with the distance of each centroid to the border of its region, positive inside."""
    known = frame.meta.pixel_size_um is not None
    name = f"{column_of(task)}_distance{'_um' if known else ''}"
    pixel = frame.cut(slice(0, 1), slice(0, 1)).classes(task)
    if pixel.ndim == 3 or table.empty:
        return table.assign(**{name: np.full(len(table), np.nan)})
    classes, scale = frame.class_overview(task, MAX_PX)
    number_of = {name: number for number, name in enumerate(frame.class_names(task))}
    numbers = table[column_of(task)].map(number_of).to_numpy(np.int64)
    centres = table[["centroid_y", "centroid_x"]].to_numpy(float)
    # pixel i of the overview spans scale * i to scale * (i + 1), counted from the image's edge
    points = np.floor((centres + 0.5) / scale).astype(np.int64)
    points = np.clip(points, 0, np.array(classes.shape) - 1)
    distances = measure_distances(classes, points, numbers) * scale
    return table.assign(**{name: distances * frame.um_per_px})


def measure_distances(classes: np.ndarray, points: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Pixels from each point (N, 2) to the border of the region of its class, positive inside.

    The border runs between pixels, half a pixel from the nearest one of the other side; exact as a distance transform
    is, and cheaper. NaN where there is no border, the region being everywhere or (too small for this level of the
    pyramid) nowhere.
    """
    from scipy.spatial import KDTree

    distances = np.full(len(points), np.nan)
    at = classes[tuple(points.T)]
    for number in np.unique(numbers):
        region = classes == number
        border = find_border(region)
        for sign, inside in ((1, True), (-1, False)):
            rows = np.flatnonzero((numbers == number) & ((at == number) == inside))
            # the nearest pixel of the other side has a neighbour on this side
            others = np.argwhere(border & ~region if inside else border & region)
            if len(rows) and len(others):
                distances[rows] = sign * (KDTree(others).query(points[rows])[0] - 0.5)
    return distances


def find_border(region: np.ndarray) -> np.ndarray:
    """Pixels with a neighbour (of four) on the other side, on both sides."""
    border = np.zeros(region.shape, bool)
    down, right = region[1:] != region[:-1], region[:, 1:] != region[:, :-1]
    border[1:] |= down
    border[:-1] |= down
    border[:, 1:] |= right
    border[:, :-1] |= right
    return border
