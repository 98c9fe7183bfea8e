"""Tracing: label image, block by block -> the outlines of all its objects at once, along the edges of their pixels.

Every corner of an outline has one edge along its row and one along its column. The other end of each is the next corner
of the same object there, so that sorting links all corners of all objects, and memory grows with outlines, not pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .corners import Corners, Read, scan

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
    found = [lowest(corners.label, corners.y) for _, corners in scan(read, shape)]
    return lowest(*(np.concatenate(each) for each in zip(*found, strict=True)))


def lowest(label: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct labels, rising, and the largest y of each."""
    order = np.lexsort((y, label))
    label, y = label[order], y[order]
    last = np.append(label[1:] != label[:-1], True)[: len(label)]
    return label[last], y[last]


def trace_corners(corners: Corners) -> Outlines:
    """All corners of some objects -> their outlines."""
    # along a row, an outline's edges are between the 1st and 2nd corner, the 3rd and 4th, ...
    corners = corners[np.lexsort((corners.right, corners.x, corners.y, corners.label))]
    in_row = np.arange(len(corners)) ^ 1
    order = np.lexsort((corners.down, corners.y, corners.x, corners.label))
    in_column = np.empty_like(order)
    in_column[order] = order[np.arange(len(order)) ^ 1]
    # with the object on the right hand
    leaves_in_row = (corners.right == corners.down) ^ corners.hollow
    follow = part_touching(corners, np.where(leaves_in_row, in_row, in_column))
    order, sizes = walk(follow)
    return nest(corners[order], sizes)


def part_touching(corners: Corners, follow: np.ndarray) -> np.ndarray:
    """Rings that touch themselves at a corner become several, each of which passes it once."""
    twice = np.flatnonzero(
        (corners.label[1:] == corners.label[:-1])
        & (corners.y[1:] == corners.y[:-1])
        & (corners.x[1:] == corners.x[:-1])
    )
    if len(twice):
        ring = find_rings(follow)
        one = twice[ring[twice] == ring[twice + 1]]
        follow[one], follow[one + 1] = follow[one + 1], follow[one]
    return follow


def find_rings(follow: np.ndarray) -> np.ndarray:
    """Number of the ring of each corner."""
    from scipy.sparse import csgraph

    return csgraph.connected_components(as_graph(follow), connection="strong")[1]


def as_graph(follow: np.ndarray) -> Any:
    """Sparse matrix with an edge from each corner to the next."""
    from scipy.sparse import csr_array

    n = len(follow)
    return csr_array((np.ones(n), follow, np.arange(n + 1)), (n, n))


def walk(follow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners in the order of their rings, each from its first, and how many each ring has."""
    from scipy.sparse import csgraph

    ring = find_rings(follow)
    first = np.sort(np.unique(ring, return_index=True)[1])
    before = np.empty_like(follow)
    before[follow] = np.arange(len(follow))
    chain = follow.copy()
    chain[before[first]] = np.roll(first, -1)  # from the end of a ring into the next
    order = csgraph.breadth_first_order(as_graph(chain), first[0], return_predecessors=False)
    starts = np.flatnonzero(np.isin(order, first, assume_unique=True))
    return order, np.diff(np.append(starts, len(order)))


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
