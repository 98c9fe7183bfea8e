"""Distance: a mask (Y, X) -> how far each of its pixels is from the nearest pixel outside; first down the columns, then in the rows.

Exact, by the lower envelope of parabolas (Meijster, Roerdink and Hesselink 2000; Felzenszwalb and Huttenlocher 2012), each run of
the mask by itself: what lies outside a run's ends is further away than they are.
"""

import numpy as np

from ..compiled import compiled

FAR = 1 << 20  # px: further than any pixel of an image


@compiled
def measure_depth(mask: np.ndarray) -> np.ndarray:
    """Distances (Y, X) float64, 0 outside; the mask must not be everything."""
    height, width = mask.shape
    depth = np.zeros((height, width), np.float64)
    down = measure_columns(mask)
    places, begins = np.empty(width + 2, np.int64), np.empty(width + 2, np.int64)
    for y in range(height):
        x = 0
        while x < width:
            if not mask[y, x]:
                x += 1
                continue
            end = x
            while end < width and mask[y, end]:
                end += 1
            measure_run(down[y], max(x - 1, 0), min(end + 1, width), places, begins, depth[y])
            x = end
    return depth


@compiled
def measure_columns(mask: np.ndarray) -> np.ndarray:
    """Distances (Y, X) int32 to the nearest pixel outside in the same column; FAR or more where there is none."""
    height, width = mask.shape
    down = np.empty((height, width), np.int32)
    for x in range(width):
        down[0, x] = FAR if mask[0, x] else 0
    for y in range(1, height):
        for x in range(width):
            down[y, x] = down[y - 1, x] + 1 if mask[y, x] else 0
    for y in range(height - 2, -1, -1):
        for x in range(width):
            down[y, x] = min(down[y, x], down[y + 1, x] + 1)
    return down


@compiled
def measure_run(
    down: np.ndarray,
    first: int,
    end: int,
    places: np.ndarray,
    begins: np.ndarray,
    depth: np.ndarray,
) -> None:
    """Distances along a row between two columns; `places` and `begins` are room for the envelope: which parabola, from where."""
    n = 0
    for x in range(first, end):
        begin = first
        while n:
            last = places[n - 1]
            # the first column in which this parabola is lower than the last one
            begin = 1 + (square(x) + square(down[x]) - square(last) - square(down[last])) // (2 * (x - last))  # fmt: skip
            if begin > begins[n - 1]:
                break
            begin = first
            n -= 1
        if begin < end:
            places[n], begins[n] = x, begin
            n += 1
    k = 0
    for x in range(first, end):
        while k + 1 < n and begins[k + 1] <= x:
            k += 1
        depth[x] = np.sqrt(np.float64(square(x - places[k]) + square(down[places[k]])))


@compiled
def square(value: int) -> int:
    """In 64 bits."""
    return np.int64(value) * np.int64(value)


@compiled
def measure_from(places: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Places (3, Z, Y, X) of the voxels to measure from, one for each voxel -> distances (Z, Y, X) float64."""
    depth = np.zeros(places.shape[1:], np.float64)
    for z in range(depth.shape[0]):
        for y in range(depth.shape[1]):
            for x in range(depth.shape[2]):
                down = (places[0, z, y, x] - z) * spacing[0]
                back = (places[1, z, y, x] - y) * spacing[1]
                across = (places[2, z, y, x] - x) * spacing[2]
                depth[z, y, x] = np.sqrt(down * down + back * back + across * across)
    return depth
