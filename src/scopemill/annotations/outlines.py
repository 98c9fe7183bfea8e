"""Outlines: mask (Y, X) -> polygon along the edges of its pixels, with holes; rings -> polygon. In (x, y)."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def trace(mask: np.ndarray, y0: int = 0, x0: int = 0) -> Any:
    """Polygon or MultiPolygon (shapely) around a mask whose first pixel is (y0, x0); filling it gives the mask again."""
    import shapely

    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]  # runs of a row, in the same order
    runs = shapely.box(starts + x0, rows + y0, ends + x0, rows + y0 + 1)
    return tidy(shapely.union_all(runs))


def tidy(shape: Any) -> Any:
    """The same outline with corners only, in an order of its own."""
    import shapely

    # normal order begins rings at a corner, which simplify would keep even if it were none
    return shapely.normalize(shapely.simplify(shapely.normalize(shape), 0))


def from_rings(rings: Sequence[np.ndarray]) -> Any:
    """Polygon or MultiPolygon inside an odd number of rings (n, 2)."""
    import shapely

    shapes = np.array([shapely.Polygon(ring) for ring in rings])
    while len(shapes) > 1:  # in pairs, which stays fast for many
        last = shapes[len(shapes) // 2 * 2 :]
        pairs = shapely.symmetric_difference(shapes[: len(shapes) - len(last) : 2], shapes[1::2])
        shapes = np.concatenate([pairs, last])
    return shapely.normalize(shapes[0])


def ellipse(x0: float, y0: float, x1: float, y1: float, error_px: float = 0.001) -> Any:
    """Polygon in a box's ellipse, nowhere further from it than `error_px`."""
    import shapely

    radius = max(x1 - x0, y1 - y0) / 2
    count = int(np.clip(np.ceil(np.pi * np.sqrt(radius / (2 * error_px))), 16, 20_000))
    angle = 2 * np.pi * np.arange(count) / count
    x = (x0 + x1) / 2 + (x1 - x0) / 2 * np.cos(angle)
    y = (y0 + y1) / 2 + (y1 - y0) / 2 * np.sin(angle)
    return shapely.Polygon(np.stack([x, y], axis=1))


def rounded_box(x0: float, y0: float, x1: float, y1: float, arc: float) -> Any:
    """Box whose corners are quarters of circles of diameter `arc`."""
    import shapely

    radius = min(arc, x1 - x0, y1 - y0) / 2
    inner = shapely.box(x0 + radius, y0 + radius, x1 - radius, y1 - radius)
    return shapely.normalize(inner.buffer(radius, quad_segs=64))
