"""Targets: labels (Z, Y, X) -> what a network learns, maps (heads, Z, Y, X) of 0 to 1.

foreground: inside an object. border: within REACH of another object. distance: depth inside the object, 1 where
it is deepest. flow_y, flow_x: direction to the object's centre, 0.5 for none (Stringer 2021, simplified).
"""

import numpy as np

REACH = 2  # pixels between two objects that count as touching
HEADS = ("foreground", "border", "distance", "flow_y", "flow_x")


def make_targets(
    labels: np.ndarray, heads: tuple[str, ...], spacing: tuple[float, ...] = (1.0, 1.0, 1.0)
) -> np.ndarray:
    """Maps (heads, Z, Y, X) float32 of one crop; ids may repeat in places that do not touch."""
    from skimage.measure import label

    parts = label(labels, connectivity=1).astype(np.int32)
    maps = {"foreground": parts > 0}
    if "border" in heads:
        maps["border"] = find_borders(parts)
    if "distance" in heads:
        maps["distance"] = measure_depth(parts, spacing)
    if "flow_y" in heads or "flow_x" in heads:
        maps["flow_y"], maps["flow_x"] = point_to_centres(parts)
    return np.stack([maps[head] for head in heads]).astype(np.float32)


def find_borders(labels: np.ndarray, reach: int = REACH) -> np.ndarray:
    """Pixels, in an object or between, that have two objects within `reach`, in the plane."""
    from scipy import ndimage

    size = (1, 2 * reach + 1, 2 * reach + 1)
    highest = ndimage.maximum_filter(labels, size)
    lowest = ndimage.minimum_filter(np.where(labels > 0, labels, np.iinfo(np.int32).max), size)
    return (highest > lowest) & (highest > 0)


def measure_depth(labels: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Distance to the object's outline, as a share of the object's greatest."""
    from scipy import ndimage
    from skimage.segmentation import find_boundaries

    if not labels.any():
        return np.zeros(labels.shape, np.float32)
    flat = labels.shape[0] == 1
    plane = labels[0] if flat else labels
    inside = (plane > 0) & ~find_boundaries(plane, mode="inner")
    if inside.all():  # one object fills the crop: nothing says how far its outline is
        return np.ones(labels.shape, np.float32)
    padded = np.pad(inside, 1, mode="edge")  # an object cut by the border goes on behind it
    depth = ndimage.distance_transform_edt(padded, spacing[-plane.ndim :])
    depth = depth[(slice(1, -1),) * plane.ndim] + (plane > 0)
    greatest = ndimage.maximum(depth, plane, np.arange(plane.max() + 1))
    share = np.where(plane > 0, depth / np.maximum(greatest[plane], 1), 0).astype(np.float32)
    return share[None] if flat else share


def point_to_centres(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (y, x) from each pixel to its object's centre of mass, as (1 + v) / 2."""
    n = labels.max() + 1
    counts = np.maximum(np.bincount(labels.ravel(), minlength=n), 1)
    maps = []
    for axis in (1, 2):
        places = np.arange(labels.shape[axis], dtype=np.float32).reshape(
            [-1 if i == axis else 1 for i in range(3)]
        )
        sums = np.bincount(
            labels.ravel(), np.broadcast_to(places, labels.shape).ravel(), minlength=n
        )
        maps.append((sums / counts)[labels] - places)
    length = np.maximum(np.hypot(*maps), 1.0)  # shorter than a pixel: no direction
    inside = labels > 0
    return tuple(np.where(inside, 0.5 + 0.5 * one / length, 0.5) for one in maps)
