"""Class images: probabilities -> classes of pixels; holes and islands that are too small to be meant are filled."""

from collections.abc import Mapping, Sequence

import numpy as np


def decide(maps: np.ndarray, names: Sequence[str], thresholds: Mapping[str, float]) -> np.ndarray:
    """Probabilities (K, ...) of classes that exclude each other -> the number of a class (...), uint8.

    The class whose probability is the highest for its threshold (0.5 where none is given, which makes it the most
    probable one): a lower threshold takes more.
    """
    weights = np.array([0.5 / thresholds.get(name, 0.5) for name in names], np.float32)
    weighted = maps * weights.reshape(-1, *(1,) * (maps.ndim - 1))
    return weighted.argmax(axis=0).astype(np.uint8)


def fill_small(classes: np.ndarray, min_hole_px: float, min_island_px: float) -> np.ndarray:
    """Classes (Y, X) -> the same, where connected parts of a class with fewer pixels take the nearest other class.

    Parts of class 0 (holes) and of the other classes (islands) have limits of their own. A part that reaches the border
    of the array may go on beyond it and stays.
    """
    from scipy import ndimage

    small = np.zeros(classes.shape, bool)
    for value in np.unique(classes):
        limit = min_hole_px if value == 0 else min_island_px
        if limit <= 1:
            continue
        parts, _ = ndimage.label(classes == value)
        dropped = np.bincount(parts.ravel()) < limit
        dropped[0] = False
        for edge in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
            dropped[edge] = False
        small |= dropped[parts]
    if not small.any() or small.all():
        return classes
    nearest = ndimage.distance_transform_edt(small, return_distances=False, return_indices=True)
    return classes[tuple(nearest)]


def reach_px(min_hole_px: float, min_island_px: float) -> int:
    """How far parts below these limits reach, unless they are long and thin: context that blocks need."""
    return int(np.ceil(3 * np.sqrt(max(min_hole_px, min_island_px))))
