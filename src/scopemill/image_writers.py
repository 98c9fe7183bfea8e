"""Writing image artifacts: pixels that are asked for tile by tile -> images, label images and class images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .errors import DataError
from .ometiff import Meta, Read, write_tiles


def reader_of(array: np.ndarray, rgb: bool = False) -> Read:
    """An array in memory (TZYX or TCZYX; `rgb`: its channels are colours) -> what writers ask."""

    def read(t: int, c: int, z: int, y: slice, x: slice) -> np.ndarray:
        if array.ndim == 4:
            return array[t, z, y, x]
        return np.moveaxis(array[t, :, z, y, x], 0, -1) if rgb else array[t, c, z, y, x]

    return read


def write_image(path: Path, meta: Meta, dtype: Any, read: Read) -> None:
    """Write what `read(t, c, z, y, x)` gives, tile by tile ((Y, X, 3) for colour, with c = 0).

    Each tile is asked for once: plane by plane (T, C, Z), row by row; none crosses the grid of GRID_PX. The same pixels and meta give
    the same bytes.
    """
    write_tiles(path, meta, np.dtype(dtype), read)


def write_labels(
    path: Path, read: Read, shape: Sequence[int], like: Meta, fingerprint: str
) -> None:
    """Write label images of `shape` (T, Z, Y, X), uint32, with the pixel size of the image they belong to.

    Raises
    ------
    DataError
        TOO_MANY_OBJECTS where ids do not fit.
    """

    def checked(t: int, c: int, z: int, y: slice, x: slice) -> np.ndarray:
        part = read(t, c, z, y, x)
        if part.itemsize > 4 and part.size and part.max() >= 2**32:
            raise DataError(
                "TOO_MANY_OBJECTS", f"{int(part.max())} objects; labels hold 4294967295"
            )
        return part

    meta = Meta(
        (shape[0], 1, *shape[1:]), ("labels",), like.pixel_size_um, like.z_step_um,
        fingerprint=fingerprint, kind="labels",
    )  # fmt: skip
    write_tiles(path, meta, np.dtype(np.uint32), checked)


def write_classes(
    path: Path,
    read: Read,
    shape: Sequence[int],
    like: Meta,
    class_names: Sequence[str],
    fingerprint: str,
) -> None:
    """Write class images of `shape` (T, Z, Y, X), uint8: value n is `class_names[n]`, 0 the background."""

    def checked(t: int, c: int, z: int, y: slice, x: slice) -> np.ndarray:
        part = read(t, c, z, y, x)
        if part.size and part.max() >= len(class_names):
            raise ValueError(f"class {int(part.max())} of {len(class_names)}")
        return part

    meta = Meta(
        (shape[0], 1, *shape[1:]), ("classes",), like.pixel_size_um, like.z_step_um,
        fingerprint=fingerprint, class_names=tuple(class_names), kind="classes",
    )  # fmt: skip
    write_tiles(path, meta, np.dtype(np.uint8), checked)
