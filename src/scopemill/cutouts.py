"""Cutouts: image (..., Y, X) + places -> squares around them; mirrored where they reach beyond the border."""

import math
from collections.abc import Sequence

import numpy as np


def cut_around(
    image: np.ndarray,
    y: float,
    x: float,
    size: int,
    origin: Sequence[int] = (0, 0),
    whole: Sequence[int] | None = None,
) -> np.ndarray:
    """(..., Y, X) -> (..., size, size) with (y, x) in its middle; coordinates count from the corner of pixel 0.

    `image` may be a window of the whole (Y, X), from `origin` on, that holds all of the square that is in the whole.
    """
    rows, columns = (
        mirror(math.floor(middle - size / 2 + 0.5), size, n) - start
        for middle, n, start in zip((y, x), whole or image.shape[-2:], origin, strict=True)
    )
    return image[..., rows[:, None], columns]


def take_planes(stack: np.ndarray, count: int) -> np.ndarray:
    """(..., Z, Y, X) -> the middle `count` planes."""
    planes = stack.shape[-3]
    return stack[..., mirror((planes - count + 1) // 2, count, planes), :, :]


def mirror(start: int, count: int, size: int) -> np.ndarray:
    """Indices (count,) from `start` on into an axis of `size`; beyond its ends they go back, ends not repeated."""
    if size == 1:
        return np.zeros(count, np.int64)
    period = 2 * size - 2
    places = np.arange(start, start + count) % period
    return np.minimum(places, period - places)


def find_middles(table) -> np.ndarray:
    """Columns y0, x0, y1, x1 -> middles (n, 2) of the boxes, (y, x)."""
    low, high = (table[[f"y{i}", f"x{i}"]].to_numpy(np.float64) for i in (0, 1))
    return (low + high) / 2
