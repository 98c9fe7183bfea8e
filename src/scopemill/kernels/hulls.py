"""Hulls: labels numbered 1 to n, boxes -> pixels in each object's convex hull, and the hull's greatest diameter.

As scikit-image has them: a pixel is the four middles of its sides, and a pixel on the hull's outline is in the hull. Everything
is in whole numbers, twice the coordinates, and therefore exact. Right edges are kept negative, to be left edges too.
"""

import numpy as np

from ..compiled import compiled

NONE = 1 << 40  # an edge of a row without pixels


@compiled
def find_edges(labels: np.ndarray, low: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(Y, X) labels -> first column, and minus the last, of each row of each object (2, rows); rows of object k begin at starts[k]."""
    height, width = labels.shape
    edges = np.full((2, starts[-1]), NONE, np.int64)
    for y in range(height):
        row = labels[y]
        start = 0
        while start < width:
            end = start + 1
            while end < width and row[end] == row[start]:
                end += 1
            if row[start]:
                k = row[start] - 1
                at = starts[k] + y - low[k]
                edges[0, at] = min(edges[0, at], start)
                edges[1, at] = min(edges[1, at], 1 - end)
            start = end
    return edges


@compiled
def measure_hulls(edges: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges -> pixels in the hull (n,) and four times the square of the greatest distance on its outline (n,)."""
    n = len(starts) - 1
    areas, diameters = np.zeros(n, np.int64), np.zeros(n, np.int64)
    longest = (starts[1:] - starts[:-1]).max() if n else 0
    # two chains, one after the other: a point for each half row
    points = np.empty((4 * longest + 2, 2), np.int64)
    for k in range(n):
        own = edges[:, starts[k] : starts[k + 1]]
        filled = np.empty_like(own)
        for side in range(2):
            length = make_chain(own[side], points)
            fill_chain(points[:length], filled[side])
        for row in range(own.shape[1]):
            inside = 1 - filled[1, row] - filled[0, row]
            areas[k] += inside
            if inside == 0:
                filled[:, row] = NONE
        length = make_chain(filled[0], points)
        right = points[length : length + make_chain(filled[1], points[length:])]
        right[:, 1] = -right[:, 1]
        diameters[k] = find_diameter(points[: length + len(right)])
    return areas, diameters


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
        while length >= 2 and not turns(points[length - 2], points[length - 1], y, x):
            length -= 1
        points[length] = (y, x)
        length += 1
    return length


@compiled
def turns(one: np.ndarray, two: np.ndarray, y: int, x: int) -> bool:
    """Whether the second point lies left of the way from the first to (y, x)."""
    return (two[1] - one[1]) * (y - one[0]) < (x - one[1]) * (two[0] - one[0])


@compiled
def fill_chain(points: np.ndarray, edge: np.ndarray) -> None:
    """Write the first whole column on or right of the chain, for each row."""
    at = 0
    for row in range(len(edge)):
        while points[at + 1, 0] < 2 * row:
            at += 1
        dy, dx = points[at + 1] - points[at]
        x = points[at, 1] * dy + dx * (2 * row - points[at, 0])
        edge[row] = -(-x // (2 * dy))


@compiled
def find_diameter(points: np.ndarray) -> int:
    """Square of the greatest distance of two points."""
    greatest = 0
    for i in range(len(points)):
        for j in range(i):
            dy, dx = points[i] - points[j]
            greatest = max(greatest, dy * dy + dx * dx)
    return greatest
