"""Blocks: boxes of objects -> groups of neighbours, each with the window that holds them, so that no step sees a slide."""

from collections.abc import Iterator
from math import isqrt

import numpy as np

from ..blocks import BLOCK_VOXELS
from ..tiling import Window


def block_side(n_planes: int) -> int:
    """Pixels a side of a block of this many planes."""
    return isqrt(BLOCK_VOXELS // n_planes)


def plan_blocks(
    boxes: np.ndarray, size: tuple[int, int], side: int, margin: int
) -> Iterator[tuple[Window, np.ndarray]]:
    """Boxes (N, 4) as y0, x0, y1, x1 -> window and rows of each group; a window holds its boxes whole, and a margin.

    An object belongs to the block that its box begins in; one wider than a block has a window of its own, so that it
    does not widen that of its neighbours. Without objects there is one window of a pixel.
    """
    if not len(boxes):
        yield (slice(0, 1), slice(0, 1)), np.empty(0, np.int64)
        return
    place = boxes[:, :2] // side
    wide = (boxes[:, 2:] - boxes[:, :2]).max(axis=1) > side
    own = np.where(wide, np.arange(1, len(boxes) + 1), 0)
    _, group = np.unique(np.column_stack([place, own]), axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    starts = np.flatnonzero(np.diff(group.ravel()[order])) + 1
    for rows in np.split(order, starts):
        low = np.maximum(boxes[rows, :2].min(axis=0) - margin, 0)
        high = np.minimum(boxes[rows, 2:].max(axis=0) + margin, size)
        yield (slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))), rows


def plan_points(points: np.ndarray, side: int) -> Iterator[tuple[Window, np.ndarray]]:
    """Pixels (N, 2) as y, x -> window and rows of each group of points."""
    boxes = np.concatenate([points, points + 1], axis=1)
    return plan_blocks(boxes, tuple(points.max(axis=0, initial=0) + 1), side, 0)
