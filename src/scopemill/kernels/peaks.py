"""Peaks: heights and the parts in which to look (Z, Y, X) -> the voxels that are highest in a box around them, within their part."""

import numpy as np

from ..compiled import compiled


@compiled
def find_highest(heights: np.ndarray, parts: np.ndarray, reach: tuple[int, int, int]) -> np.ndarray:
    """Places of voxels above which none of their part (int32, 0 for none) lies within `reach` along each axis, in their order.

    A reach of 0 along z means an image without z. Where all of a part is equally high, only what an opening by a cross would remove from it, as in scikit-image.
    """
    parts_ = parts.ravel()
    highest = np.empty(np.count_nonzero(parts_), np.int64)
    n_parts = parts_.max() + 1 if len(parts_) else 1
    sizes, n_highest = np.zeros(n_parts, np.int64), np.zeros(n_parts, np.int64)
    n = 0
    for z in range(parts.shape[0]):
        for y in range(parts.shape[1]):
            for x in range(parts.shape[2]):
                part = parts[z, y, x]
                if not part:
                    continue
                sizes[part] += 1
                if is_highest(heights, parts, z, y, x, (1, 1, 1)) and is_highest(
                    heights, parts, z, y, x, reach
                ):
                    n_highest[part] += 1
                    highest[n] = (z * parts.shape[1] + y) * parts.shape[2] + x
                    n += 1
    kept = 0
    for at in highest[:n]:
        part = parts_[at]
        if n_highest[part] < sizes[part] or not is_broad(parts, at, reach[0] > 0):
            highest[kept] = at
            kept += 1
    return highest[:kept]


@compiled
def is_highest(
    heights: np.ndarray, parts: np.ndarray, z: int, y: int, x: int, reach: tuple[int, int, int]
) -> bool:
    """Whether no voxel of its part in the box is higher."""
    height, part = heights[z, y, x], parts[z, y, x]
    for k in range(max(0, z - reach[0]), min(parts.shape[0], z + reach[0] + 1)):
        for j in range(max(0, y - reach[1]), min(parts.shape[1], y + reach[1] + 1)):
            for i in range(max(0, x - reach[2]), min(parts.shape[2], x + reach[2] + 1)):
                if heights[k, j, i] > height and parts[k, j, i] == part:
                    return False
    return True


@compiled
def is_broad(parts: np.ndarray, at: int, has_z: bool) -> bool:
    """Whether a voxel lies in a cross that lies in its part."""
    plane = parts.shape[1] * parts.shape[2]
    z, y, x = at // plane, at % plane // parts.shape[2], at % parts.shape[2]
    part = parts[z, y, x]
    if is_centre(parts, z, y, x, part, has_z):
        return True
    for step in (-1, 1):
        if has_z and is_centre(parts, z + step, y, x, part, has_z):
            return True
        if is_centre(parts, z, y + step, x, part, has_z):
            return True
        if is_centre(parts, z, y, x + step, part, has_z):
            return True
    return False


@compiled
def is_centre(parts: np.ndarray, z: int, y: int, x: int, part: int, has_z: bool) -> bool:
    """Whether a voxel and those beside it are of the part."""
    if not holds(parts, z, y, x, part):
        return False
    for step in (-1, 1):
        if has_z and not holds(parts, z + step, y, x, part):
            return False
        if not holds(parts, z, y + step, x, part) or not holds(parts, z, y, x + step, part):
            return False
    return True


@compiled
def holds(parts: np.ndarray, z: int, y: int, x: int, part: int) -> bool:
    """Whether there is such a voxel and it is of the part."""
    inside = 0 <= z < parts.shape[0] and 0 <= y < parts.shape[1] and 0 <= x < parts.shape[2]
    return inside and parts[z, y, x] == part
