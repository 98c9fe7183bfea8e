"""Tracing: label image, block by block -> the outlines of all its objects at once, along the edges of their pixels.

Every corner of an outline has one edge along its row and one along its column. The other end of each is the next corner
of the same object there, so that sorting links all corners of all objects, and memory grows with outlines, not pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .corners import RIGHT, Corners, Read, scan

AT_ONCE = 100_000  # corners


@dataclass(frozen=True, eq=False)
class Outlines:
    """Outlines of objects as nested offsets (as GeoArrow has them): objects -> polygons -> rings -> points."""

    numbers: np.ndarray  # (objects,) their labels, rising
    points: np.ndarray  # (points, 2) in (x, y); the first of each ring is there again as its last
    rings: np.ndarray  # (rings + 1,) first point of each ring
    polygons: (
        np.ndarray
    )  # (polygons + 1,) first ring of each polygon: its outer one, then its holes
    objects: np.ndarray  # (objects + 1,) first polygon of each object

    def shapes(self) -> np.ndarray:
        """(objects,) shapely MultiPolygons."""
        import shapely

        offsets = (self.rings, self.polygons, self.objects)
        kind = shapely.GeometryType.MULTIPOLYGON
        return shapely.from_ragged_array(kind, self.points.astype(np.float64), offsets)


def trace_image(read: Read, shape: tuple[int, int]) -> Iterator[Outlines]:
    """Outlines of a label image (Y, X), from above; each object once, however many strips it crosses."""
    last = find_last_rows(read, shape)
    waiting: list[Corners] = []
    for y1, corners in scan(read, shape):
        waiting.append(corners)
        found = Corners.join(waiting)
        ends = last[1][np.searchsorted(last[0], found.label)]
        done = ends < y1
        waiting = [found[~done]]
        for some in batches(found[done]):
            yield trace_corners(some)


def batches(corners: Corners) -> Iterator[Corners]:
    """Corners of a few objects at a time, whole ones, by their labels."""
    corners = corners[np.argsort(corners.label, kind="stable")]
    ends = np.flatnonzero(np.diff(corners.label)) + 1
    last = np.flatnonzero(np.diff(ends // AT_ONCE))  # the last end in each batch
    for part in np.split(np.arange(len(corners)), ends[last]):
        if len(part):
            yield corners[part]


def find_last_rows(read: Read, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels, rising, and the row below the lowest pixel of each: objects need not be in one piece."""
    found = [lowest(feet.label, feet.y) for _, corners in scan(read, shape) for feet in [corners[corners.turn == RIGHT]]]  # fmt: skip
    return lowest(*(np.concatenate(each) for each in zip(*found, strict=True)))


def lowest(label: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct labels, rising, and the largest y of each."""
    order = np.argsort(label, kind="stable")
    label, y = label[order], y[order]
    first = np.flatnonzero(np.append(True, label[1:] != label[:-1])[: len(label)])
    return label[first], np.maximum.reduceat(y, first) if len(first) else y


def trace_corners(corners: Corners) -> Outlines:
    """All corners of some objects -> their outlines."""
    from ..kernels.outlines import link_corners

    corners = corners[np.argsort(corners.label, kind="stable")]
    ends = np.append(np.flatnonzero(np.diff(corners.label)) + 1, len(corners))
    order, sizes = link_corners(corners.y, corners.x, corners.turn, ends)
    return nest(corners[order], sizes)


def nest(corners: Corners, sizes: np.ndarray) -> Outlines:
    """Rings one after the other, those of an object together -> holes with the polygons that they are in."""
    ends = np.cumsum(sizes)
    starts = ends - sizes
    again = np.arange(len(corners)) + 1
    again[ends - 1] = starts
    x, y = corners.x.astype(np.int64), corners.y.astype(np.int64)
    areas = np.add.reduceat(x * y[again] - x[again] * y, starts)
    label, is_hole = corners.label[starts], areas < 0
    shell = find_shells(corners, starts, ends, label, is_hole, areas)
    order = np.lexsort((is_hole, shell))
    rings = offsets(sizes[order] + 1)
    index = np.arange(rings[-1]) + np.repeat(starts[order] - rings[:-1], sizes[order] + 1)
    index[rings[1:] - 1] = starts[order]  # closed
    first = ~is_hole[order]
    numbers, objects = np.unique(label[order][first], return_index=True)
    return Outlines(
        numbers, np.stack([corners.x[index], corners.y[index]], axis=1), rings,
        np.append(np.flatnonzero(first), len(order)), np.append(objects, int(first.sum())),
    )  # fmt: skip


def offsets(sizes: np.ndarray) -> np.ndarray:
    """Where each of some parts begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(sizes)])


def find_shells(
    corners: Corners, starts: np.ndarray, ends: np.ndarray, label: np.ndarray, is_hole: np.ndarray, areas: np.ndarray
) -> np.ndarray:  # fmt: skip
    """Number of the outer ring of each ring: itself, or for a hole the smallest of its object that holds it."""
    shell = np.arange(len(starts))
    numbers, n_shells = np.unique(label[~is_hole], return_counts=True)
    only = np.searchsorted(numbers, label[is_hole])
    shell[is_hole] = np.flatnonzero(~is_hole)[np.searchsorted(label[~is_hole], label[is_hole])]
    unclear = np.flatnonzero(is_hole)[n_shells[only] > 1]
    for number in np.unique(label[unclear]):
        holes = unclear[label[unclear] == number]
        around = np.flatnonzero((label == number) & ~is_hole)
        shell[holes] = place(corners, starts, ends, areas, holes, around)
    return shell


def place(
    corners: Corners, starts: np.ndarray, ends: np.ndarray, areas: np.ndarray, holes: np.ndarray, around: np.ndarray
) -> np.ndarray:  # fmt: skip
    """The same for the holes of one object in several pieces."""
    import shapely

    points = np.stack([corners.x, corners.y], axis=1)
    shells = np.array([shapely.Polygon(points[starts[k] : ends[k]]) for k in around])
    # above a hole's first corner, which is its uppermost, lies a pixel of the object
    x, y = corners.x[starts[holes]] + 0.5, corners.y[starts[holes]] - 0.5
    which, candidate = shapely.STRtree(shells).query(shapely.points(x, y))
    shapely.prepare(shells)
    inside = shapely.contains_xy(shells[candidate], x[which], y[which])
    which, candidate = which[inside], candidate[inside]
    order = np.lexsort((areas[around[candidate]], which))
    first = np.append(True, np.diff(which[order]) != 0)
    return around[candidate[order][first]]
