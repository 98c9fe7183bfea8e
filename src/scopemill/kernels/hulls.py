"""Hulls: labels numbered 1 to n, boxes -> pixels in each object's convex hull, and the hull's greatest diameter.

As scikit-image has them: a pixel is the four middles of its sides, and a pixel on the hull's outline is in the hull. Everything
is in whole numbers, twice the coordinates, and therefore exact. Right edges are kept negative, to be left edges too.
"""

import numpy as np

from ..compiled import compiled

NONE = 1 << 40  # an edge of a row without pixels


@compiled
def measure_hulls(runs: np.ndarray, firsts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Runs by object -> pixels in the hull (n,), and four times the square of the greatest distance on its outline (n,)."""
    n = len(firsts) - 1
    areas, diameters = np.zeros(n, np.int64), np.zeros(n, np.int64)
    longest = 0
    for k in range(n):
        longest = max(longest, runs[firsts[k + 1] - 1, 0] + 1 - runs[firsts[k], 0])
    edges = np.empty((2, longest), np.int64)
    # two chains, one after the other: a point for each half row
    points = np.empty((4 * longest + 2, 2), np.int64)
    for k in range(n):
        own = edges[:, : find_edges(runs[firsts[k] : firsts[k + 1]], edges)]
        for side in range(2):
            length = make_chain(own[side], points)
            fill_chain(points[:length], own[side])
        areas[k] = count_inside(own)
        length = make_chain(own[0], points)
        right = points[length : length + make_chain(own[1], points[length:])]
        for i in range(len(right)):
            right[i, 1] = -right[i, 1]
        diameters[k] = find_diameter(points[: length + len(right)])
    return areas, diameters


@compiled
def find_edges(runs: np.ndarray, edges: np.ndarray) -> int:
    """Runs of one object -> first column and minus the last of each row, written into `edges`; the number of rows."""
    top = runs[0, 0]
    height = runs[-1, 0] + 1 - top
    for row in range(height):
        edges[0, row] = edges[1, row] = NONE
    for i in range(len(runs)):
        row = runs[i, 0] - top
        edges[0, row] = min(edges[0, row], runs[i, 1])
        edges[1, row] = min(edges[1, row], 1 - runs[i, 2])
    return height


@compiled
def count_inside(edges: np.ndarray) -> int:
    """Pixels between the edges; rows without any are marked so."""
    total = 0
    for row in range(edges.shape[1]):
        inside = 1 - edges[1, row] - edges[0, row]
        total += inside
        if inside == 0:
            edges[0, row] = edges[1, row] = NONE
    return total


@compiled
def make_chain(edge: np.ndarray, points: np.ndarray) -> int:
    """Convex chain (y, x) around a left edge, at twice the scale, written into `points`; its length."""
    length = 0
    for y in range(-1, 2 * len(edge)):
        x = 2 * NONE
        if y % 2 == 0:
            x = 2 * edge[y // 2] - 1
        else:
            if y > 0:
                x = 2 * edge[y // 2]
            if y // 2 + 1 < len(edge):
                x = min(x, 2 * edge[y // 2 + 1])
        if x >= NONE:
            continue
        while length >= 2 and not turns(points, length, y, x):
            length -= 1
        points[length, 0] = y
        points[length, 1] = x
        length += 1
    return length


@compiled
def turns(points: np.ndarray, length: int, y: int, x: int) -> bool:
    """Whether the last point lies left of the way from the one before it to (y, x)."""
    y0, x0 = points[length - 2, 0], points[length - 2, 1]
    y1, x1 = points[length - 1, 0], points[length - 1, 1]
    return (x1 - x0) * (y - y0) < (x - x0) * (y1 - y0)


@compiled
def fill_chain(points: np.ndarray, edge: np.ndarray) -> None:
    """Write the first whole column on or right of the chain, for each row."""
    at = 0
    for row in range(len(edge)):
        while points[at + 1, 0] < 2 * row:
            at += 1
        y0, x0 = points[at, 0], points[at, 1]
        dy, dx = points[at + 1, 0] - y0, points[at + 1, 1] - x0
        edge[row] = -(-(x0 * dy + dx * (2 * row - y0)) // (2 * dy))


@compiled
def find_diameter(points: np.ndarray) -> int:
    """Square of the greatest distance of two points."""
    greatest = 0
    for i in range(len(points)):
        y, x = points[i, 0], points[i, 1]
        for j in range(i):
            greatest = max(greatest, (points[j, 0] - y) ** 2 + (points[j, 1] - x) ** 2)
    return greatest
