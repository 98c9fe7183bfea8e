"""Pyramid: an image at half, a quarter, ... of its size: how many levels, how they are computed, tile by tile."""

import tempfile
from pathlib import Path
from typing import Self

import numpy as np

from .scratch import pack, unpack

LARGE_PX = 2048  # images wider or higher than this get levels ...
SMALLEST_LEVEL_PX = 1024  # ... down to one not larger than this


def count_levels(height: int, width: int) -> int:
    """Levels below the full image."""
    levels, size = 0, max(height, width)
    while max(height, width) > LARGE_PX and size > SMALLEST_LEVEL_PX:
        levels, size = levels + 1, -(-size // 2)
    return levels


def level_size(size: tuple[int, int], level: int) -> tuple[int, int]:
    """(Y, X) of a level of an image of this size."""
    return -(-size[0] // 2**level), -(-size[1] // 2**level)


def choose_level(size: tuple[int, int], n_levels: int, max_px: int) -> tuple[int, int]:
    """The finest level of at most `max_px`, else the coarsest and by how much more it must shrink."""
    for level in range(n_levels):
        side = max(level_size(size, level))
        if side <= max_px:
            return level, 1
    return n_levels - 1, -(-side // max_px)


def overview_of(plane: np.ndarray, max_px: int, nearest: bool) -> tuple[np.ndarray, float]:
    """A plane (Y, X) in memory -> what `Image.overview` gives of it on disk."""
    size = plane.shape
    level, scale = choose_level(size, count_levels(*size) + 1, max_px)
    for _ in range(level):
        plane = halve(plane, nearest)
    return shrink(plane, scale, nearest), float(2**level * scale)


def shrink(plane: np.ndarray, scale: int, nearest: bool) -> np.ndarray:
    """A plane `scale` times smaller: block means, or every `scale`-th pixel."""
    return shrink_nearest(plane, scale) if nearest else shrink_mean(plane, scale)


def halve(plane: np.ndarray, nearest: bool) -> np.ndarray:
    """`shrink` by 2, quicker."""
    if nearest:
        return shrink_nearest(plane, 2)
    height, width = plane.shape[:2]
    if height % 2 or width % 2:  # the mean of a last row and its copy is the row
        pad = ((0, height % 2), (0, width % 2), *((0, 0),) * (plane.ndim - 2))
        plane = np.pad(plane, pad, mode="edge")
    exact = np.float32 if plane.dtype.itemsize < 4 else np.float64
    sums = plane[::2, ::2].astype(exact)
    for y, x in ((0, 1), (1, 0), (1, 1)):
        sums += plane[y::2, x::2]
    sums *= 0.25
    return (sums if plane.dtype.kind == "f" else np.rint(sums, out=sums)).astype(plane.dtype)


def shrink_mean(plane: np.ndarray, scale: int) -> np.ndarray:
    """Block means, of the plane's own type; the last block may be smaller."""
    if scale == 1:
        return plane
    starts = [np.arange(0, n, scale) for n in plane.shape[:2]]
    sums = np.add.reduceat(
        np.add.reduceat(plane.astype(np.float64), starts[0], axis=0), starts[1], axis=1
    )
    counts = np.outer(
        *(np.diff([*start, n]) for start, n in zip(starts, plane.shape[:2], strict=True))
    )
    means = sums / counts.reshape(counts.shape + (1,) * (plane.ndim - 2))
    return (means if plane.dtype.kind == "f" else means.round()).astype(plane.dtype)


def shrink_nearest(plane: np.ndarray, scale: int) -> np.ndarray:
    """Every `scale`-th pixel: labels must not be averaged."""
    return plane[::scale, ::scale]


class HalvedTiles:
    """The tiles of one level, each halved, in a file of no name: what the next level is made of."""

    def __init__(
        self, folder: Path, tile: int, grid: tuple[int, int], like: np.ndarray, packed: bool = True
    ):
        self._half, self._grid = tile // 2, grid
        self._like = like
        self._packed = packed  # labels shrink so much that it is quicker than to write them
        self._file = tempfile.TemporaryFile(dir=folder)
        self._ends = [0]  # where tiles begin in the file, and the next one

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, part: np.ndarray) -> None:
        """Keep the next tile: plane by plane, row by row."""
        data = pack(part) if self._packed else part.tobytes()
        self._file.seek(self._ends[-1])
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))

    def read(self, plane: int, row: int, column: int, size: tuple[int, int]) -> np.ndarray:
        """A tile of the next level, put together from four."""
        rows, columns = self._grid
        out = np.empty((*size, *self._like.shape[2:]), self._like.dtype)
        for y in range(2 * row, min(2 * row + 2, rows)):
            for x in range(2 * column, min(2 * column + 2, columns)):
                i = (plane * rows + y) * columns + x
                start, end = self._ends[i : i + 2]
                self._file.seek(start)
                top, left = (y % 2) * self._half, (x % 2) * self._half
                place = out[top : top + self._half, left : left + self._half]
                found = np.empty_like(place, order="C")
                if self._packed:
                    unpack(self._file.read(end - start), found)
                else:
                    self._file.readinto(found)
                place[:] = found
        return out
