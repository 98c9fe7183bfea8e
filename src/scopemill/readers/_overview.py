"""The small copy that slides hold of themselves: a level of their pyramid, or their thumbnail."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ._base import Raw, blame

WANTED_PX, LARGEST_PX = 1024, 4096  # width or height of the copy


def read_small_copy(raw: Raw) -> np.ndarray | None:
    """A copy (C, y, x) of the first plane at its smallest useful size; None where the file holds none."""
    with blame(raw.path, "DECODE", "its small copy cannot be decoded"):
        if hasattr(raw, "_slide"):
            return _of_slide(raw._slide)
        if hasattr(raw, "_tif"):
            return _of_tiff(raw)
    return None


def _of_slide(slide: Any) -> np.ndarray | None:
    level = _choose(slide.level_dimensions)
    if level is None:
        return None
    size = slide.level_dimensions[level]
    picture = np.asarray(slide.read_region((0, 0), level, size))
    # where the scanner saw nothing
    return np.moveaxis(np.where(picture[..., 3:] > 0, picture[..., :3], 255), 2, 0)


def _of_tiff(raw: Any) -> np.ndarray | None:
    height, width = raw.shape[3:]
    for series in raw._tif.series:
        sizes = [_size(level) for level in series.levels]
        if sizes[0] == (height, width) and (level := _choose(sizes)) is not None:
            return _planes(series.levels[level], raw.shape[1])
    for series in raw._tif.series:
        if series.name == "Thumbnail" and _alike(_size(series), (height, width)):
            return _planes(series, raw.shape[1])
    return None


def _choose(sizes: Iterable[tuple[int, int]]) -> int | None:
    """The smallest level (not the image itself) that is large enough; else the largest there is."""
    found = [(max(size), level) for level, size in enumerate(sizes) if level]
    enough = [one for one in found if WANTED_PX <= one[0] <= LARGEST_PX]
    small = [one for one in found if one[0] < WANTED_PX]
    return min(enough)[1] if enough else max(small)[1] if small else None


def _size(level: Any) -> tuple[int, int]:
    return tuple(level.shape[level.axes.index(axis)] for axis in "YX")


def _alike(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) < 0.05


def _planes(level: Any, n_channels: int) -> np.ndarray:
    """(C, y, x): of further axes, the first plane."""
    kept = [axis for axis in level.axes if axis in "CSYX"]
    pixels = level.asarray()[tuple(slice(None) if one in "CSYX" else 0 for one in level.axes)]
    pixels = np.moveaxis(pixels, [kept.index("Y"), kept.index("X")], [-2, -1])
    return pixels.reshape(-1, *pixels.shape[-2:])[:n_channels]
