"""Areas: class image -> pixels of each class in each tile, of the whole image and of each region.

Tiles are what a bootstrap draws again: neighbouring pixels are not independent.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..blocks import list_blocks
from ..frames import Frame
from ..settings import ConfigError
from ..tiling import Window
from .regions import check_names

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("region_of", "region", "class")


def measure_areas(
    frame: Frame,
    task: str,
    regions: Sequence[str],
    within: Mapping[str, Sequence[str]],
    tile_px: int,
    blocks: Sequence[Window] | None = None,
) -> "pd.DataFrame":
    """One row a class and tile that it is in: t, region_of, region, class, tile_y, tile_x, area (px), area_um2.

    `region_of` is the class task that gives the region; of the whole image, both are empty.
    """
    import pandas as pd

    groups = [(task,), *((one, task) for one in regions)]
    parts = []
    for group, counts in zip(groups, count(frame, groups, within, tile_px, blocks), strict=True):
        tile_y, tile_x, *numbers = np.nonzero(counts)
        names = [np.array(frame.class_names(one), dtype=object) for one in group]
        there = len(group) == 2
        columns = {
            "region_of": group[0] if there else "",
            "region": names[0][numbers[0]] if there else "",
            "class": names[-1][numbers[-1]],
            "tile_y": tile_y,
            "tile_x": tile_x,
            "area": counts[np.nonzero(counts)],
        }
        parts.append(pd.DataFrame(columns))
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "t", frame.t)
    if frame.meta.pixel_size_um is not None:
        table["area_um2"] = table["area"] * frame.um_per_px**2
    return table


def measure_regions(
    frame: Frame,
    regions: Sequence[str],
    within: Mapping[str, Sequence[str]],
    blocks: Sequence[Window] | None = None,
) -> list[dict[str, int | str]]:
    """Pixels of each class of each task, for densities: {t, region_of, region, area}; classes without one too."""
    groups = [(task,) for task in regions]
    whole = max(frame.size)
    return [
        {"t": frame.t, "region_of": task, "region": name, "area": int(area)}
        for (task,), counts in zip(groups, count(frame, groups, within, whole, blocks), strict=True)
        for name, area in zip(frame.class_names(task), counts[0, 0], strict=True)
    ]


def count(
    frame: Frame,
    groups: Sequence[Sequence[str]],
    within: Mapping[str, Sequence[str]],
    tile_px: int,
    blocks: Sequence[Window] | None = None,
) -> list[np.ndarray]:
    """For each group of class tasks: pixels (tiles along y, along x, classes of the first, of the second, ...).

    Only pixels that have one of the classes that `within` names for each task are counted.
    """
    n_tiles = tuple(-(-size // tile_px) for size in frame.size)
    shapes = [tuple(len(frame.class_names(task)) for task in group) for group in groups]
    sums = [np.zeros((*n_tiles, int(np.prod(shape))), np.int64) for shape in shapes]
    allowed = {
        task: np.isin(frame.class_names(task), check_names(frame, task, names))
        for task, names in within.items()
    }
    tasks = {task for group in groups for task in group} | set(within)
    for window in blocks or list_blocks(frame.size):
        part = frame.cut(*window)
        classes = {task: read_plane(part, task) for task in tasks}
        kept = [allowed[task][classes[task]] for task in within]
        for sum_, group, shape in zip(sums, groups, shapes, strict=True):
            numbers = np.ravel_multi_index([classes[task] for task in group], shape)
            add_tiles(sum_, numbers, window, tile_px, kept)
    return [one.reshape(*n_tiles, *shape) for one, shape in zip(sums, shapes, strict=True)]


def read_plane(frame: Frame, task: str) -> np.ndarray:
    """The window of a class image.

    Raises
    ------
    ConfigError
        When it has planes.
    """
    classes = frame.classes(task)
    if classes.ndim == 3:
        raise ConfigError(
            f"segment.{task} has planes; areas are measured in one: set z to max, mean or middle there"
        )
    return classes


def add_tiles(
    sums: np.ndarray, numbers: np.ndarray, window: Window, tile_px: int, kept: list[np.ndarray]
) -> None:
    """Add the pixels of a window, where all of `kept` hold, to the counts (tiles, tiles, numbers) in place."""
    (rows, y), (columns, x) = (number_tiles(part, tile_px) for part in window)
    n_numbers = sums.shape[-1]
    places = (rows[:, None] * len(x) + columns) * n_numbers + numbers
    chosen = places[np.logical_and.reduce(kept)] if kept else places.ravel()
    counts = np.bincount(chosen, minlength=len(y) * len(x) * n_numbers)
    sums[y[0] : y[-1] + 1, x[0] : x[-1] + 1] += counts.reshape(len(y), len(x), n_numbers)


def number_tiles(part: slice, tile_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each pixel of a window along one axis, its tile counted from the first; and the tiles."""
    tiles = np.arange(part.start, part.stop) // tile_px
    return tiles - tiles[0], np.unique(tiles)
