"""Objects: runs of each -> pixels, boxes and sums of coordinates; labels -> kinds of border pixels."""

import numpy as np

from ..compiled import compiled

STRAIGHT, DIAGONAL, MIXED = range(3)
# 1 + 2 for a border pixel beside + 10 for one at a corner -> kind (Benkrid and Crookes; `skimage.measure.perimeter`)
KINDS = np.full(50, -1, np.int8)
KINDS[[5, 7, 15, 17, 25, 27]] = STRAIGHT
KINDS[[21, 33]] = DIAGONAL
KINDS[[13, 23]] = MIXED


@compiled
def sum_runs(
    runs: np.ndarray, firsts: np.ndarray, height: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Runs by object, rows of a plane -> pixels (n,), lower and upper corners (n, 3), sums (n, 3), products (n, 3, 3).

    Coordinates are (z, y, x) from the object's first pixel, so that their sums stay small; all are whole, and exact. Of the
    products, the upper half is given.
    """
    n = len(firsts) - 1
    counts = np.zeros(n, np.int64)
    low, high = np.zeros((n, 3), np.int64), np.zeros((n, 3), np.int64)
    sums, products = np.zeros((n, 3), np.int64), np.zeros((n, 3, 3), np.int64)
    for k in range(n):
        first_z, first_y = divmod(runs[firsts[k], 0], height)
        first_x = runs[firsts[k], 1]
        low[k, 0], low[k, 1], low[k, 2] = first_z, first_y, first_x
        z = first_z
        for i in range(firsts[k], firsts[k + 1]):
            row, start, end = runs[i, 0], runs[i, 1], runs[i, 2]
            while row >= (z + 1) * height:
                z += 1
            y = row - z * height
            low[k, 1] = min(low[k, 1], y)
            low[k, 2] = min(low[k, 2], start)
            high[k, 0] = z + 1
            high[k, 1] = max(high[k, 1], y + 1)
            high[k, 2] = max(high[k, 2], end)
            m, dz, dy, dx = end - start, z - first_z, y - first_y, start - first_x
            in_x = m * dx + m * (m - 1) // 2
            counts[k] += m
            sums[k, 0] += m * dz
            sums[k, 1] += m * dy
            sums[k, 2] += in_x
            products[k, 0, 0] += m * dz * dz
            products[k, 0, 1] += m * dz * dy
            products[k, 0, 2] += dz * in_x
            products[k, 1, 1] += m * dy * dy
            products[k, 1, 2] += dy * in_x
            products[k, 2, 2] += m * dx * dx + m * (m - 1) * dx + (m - 1) * m * (2 * m - 1) // 6
    return counts, low, high, sums, products


@compiled
def count_borders(labels: np.ndarray, numbers: np.ndarray, n: int) -> np.ndarray:
    """(Y, X) labels, object of each label from 0 -> border pixels of each object (n, 3), of the three kinds of a perimeter."""
    height, width = labels.shape
    counts = np.zeros((n, 3), np.int64)
    # three rows of the labels of border pixels, all else 0
    rim = np.zeros((3, width + 2), labels.dtype)
    for y in range(-1, height):
        above, here, below = rim[(y - 1) % 3], rim[y % 3], rim[(y + 1) % 3]
        mark_border(labels, y + 1, below)
        if y < 0:
            continue
        for x in range(1, width + 1):
            k = here[x]
            if k:
                beside = (above[x] == k) + (below[x] == k) + (here[x - 1] == k) + (here[x + 1] == k)
                corner = (above[x - 1] == k) + (above[x + 1] == k) + (below[x - 1] == k) + (below[x + 1] == k)  # fmt: skip
                kind = KINDS[1 + 2 * beside + 10 * corner]
                if kind >= 0:
                    counts[numbers[k], kind] += 1
    return counts


@compiled
def mark_border(labels: np.ndarray, y: int, rim: np.ndarray) -> None:
    """Write the labels of those pixels of row `y` that have another label, or the image's end, beside them."""
    height = len(labels)
    for x in range(labels.shape[1]):
        rim[x + 1] = labels[y, x] if y < height else 0
    if 0 < y < height - 1:
        # views, since indices that need no sum are looped over several at a time
        above, here, below = labels[y - 1, 1:-1], labels[y, 1:-1], labels[y + 1, 1:-1]
        left, right, out = labels[y, :-2], labels[y, 2:], rim[2:-2]
        for x in range(len(here)):
            k = here[x]
            within = (above[x] == k) & (below[x] == k) & (left[x] == k) & (right[x] == k)
            out[x] = 0 if within else k
