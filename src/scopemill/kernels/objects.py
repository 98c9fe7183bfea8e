"""Objects: labels numbered 1 to n -> pixels, boxes and sums of coordinates of each; kinds of its border pixels.

The sums follow the runs of equal labels in a row, whose sums have closed forms.
"""

import numpy as np

from ..compiled import compiled

STRAIGHT, DIAGONAL, MIXED = range(3)
# 1 + 2 for a border pixel beside + 10 for one at a corner -> kind (Benkrid and Crookes; `skimage.measure.perimeter`)
KINDS = np.full(50, -1, np.int8)
KINDS[[5, 7, 15, 17, 25, 27]] = STRAIGHT
KINDS[[21, 33]] = DIAGONAL
KINDS[[13, 23]] = MIXED


@compiled
def find_present(labels: np.ndarray, top: int) -> np.ndarray:
    """Whether each of 0 to `top` occurs in flat labels."""
    present = np.zeros(top + 1, np.bool_)
    for label in labels:
        present[label] = True
    return present


@compiled
def sum_runs(
    labels: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(Z, Y, X) labels -> pixels (n,), lower and upper corners (n, 3), sums (n, 3) and products (n, 3, 3) of coordinates.

    Coordinates count from the object's first pixel, so that the sums stay small, and exact.
    """
    depth, height, width = labels.shape
    counts = np.zeros(n, np.int64)
    firsts = np.zeros((n, 3), np.int64)
    low = np.zeros((n, 3), np.int64)
    high = np.zeros((n, 3), np.int64)
    sums = np.zeros((n, 3), np.int64)
    products = np.zeros((n, 3, 3), np.int64)
    for z in range(depth):
        for y in range(height):
            row = labels[z, y]
            start = 0
            while start < width:
                end = start + 1
                while end < width and row[end] == row[start]:
                    end += 1
                if row[start]:
                    k = row[start] - 1
                    if counts[k] == 0:
                        firsts[k] = (z, y, start)
                        low[k] = firsts[k]
                    low[k, 1] = min(low[k, 1], y)
                    low[k, 2] = min(low[k, 2], start)
                    high[k, 0] = z + 1
                    high[k, 1] = max(high[k, 1], y + 1)
                    high[k, 2] = max(high[k, 2], end)
                    m = end - start
                    dz, dy, dx = z - firsts[k, 0], y - firsts[k, 1], start - firsts[k, 2]
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
                    products[k, 2, 2] += (
                        m * dx * dx + m * (m - 1) * dx + (m - 1) * m * (2 * m - 1) // 6
                    )
                start = end
    return counts, low, high, sums, products


@compiled
def count_borders(labels: np.ndarray, n: int) -> np.ndarray:
    """(Y, X) labels -> border pixels of each object (n, 3), of the three kinds that a perimeter is made of."""
    height, width = labels.shape
    counts = np.zeros((n, 3), np.int64)
    # three rows of the labels of border pixels, all else 0
    rim = np.zeros((3, width + 2), np.uint32)
    for y in range(height + 1):
        below = rim[y % 3]
        if y < height:
            mark_border(labels, y, below)
        else:
            below[:] = 0
        if y == 0:
            continue
        here, above = rim[(y - 1) % 3], rim[(y - 2) % 3]
        for x in range(1, width + 1):
            k = here[x]
            if k:
                beside = (above[x] == k) + (below[x] == k) + (here[x - 1] == k) + (here[x + 1] == k)
                corner = (above[x - 1] == k) + (above[x + 1] == k) + (below[x - 1] == k) + (below[x + 1] == k)  # fmt: skip
                kind = KINDS[1 + 2 * beside + 10 * corner]
                if kind >= 0:
                    counts[k - 1, kind] += 1
    return counts


@compiled
def mark_border(labels: np.ndarray, y: int, row: np.ndarray) -> None:
    """Write the labels of those pixels of row `y` that have another label, or the image's end, beside them."""
    height, width = labels.shape
    for x in range(width):
        k = labels[y, x]
        inside = 0 < y < height - 1 and 0 < x < width - 1
        if inside and k == labels[y - 1, x] and k == labels[y + 1, x] and k == labels[y, x - 1] and k == labels[y, x + 1]:  # fmt: skip
            k = np.uint32(0)
        row[x + 1] = k
