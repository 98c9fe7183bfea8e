"""Foreground: overview of an image (C, Y, X) -> mask (Y, X) of where patches are worth cutting.

It errs towards taking too much: a patch too many costs time, a patch too few costs cells.
"""

import numpy as np

from ..foreground import find_level

OVERVIEW_PX = 1024
MOST = 0.5  # of the image
ABSORBED = 0.15  # of white light, by the palest tissue
WHITE = 0.7  # of the brightest grey value: darker images have no white background


def overview_scale(size: tuple[int, int]) -> int:
    """Pixels of the image to a pixel of its overview."""
    return -(-max(size) // OVERVIEW_PX)


def shrink(plane: np.ndarray, scale: int) -> np.ndarray:
    """Block means (float32); the last block may be smaller."""
    sums, counts = plane, 1
    for axis, size in enumerate(plane.shape):
        starts = np.arange(0, size, scale)
        sums = np.add.reduceat(sums, starts, axis=axis, dtype=np.float32)
        counts = np.multiply.outer(counts, np.diff([*starts, size]))
    return sums / counts.astype(np.float32)


def make_overview(volume: np.ndarray) -> np.ndarray:
    """(C, Z, Y, X) -> (C, y, x) of at most 1024 px, the brightest plane at each place."""
    scale = overview_scale(volume.shape[-2:])
    return np.stack([np.max([shrink(plane, scale) for plane in one], axis=0) for one in volume])


def find_foreground(overview: np.ndarray, brightest: float | None, margin_px: float) -> np.ndarray:
    """Mask of an overview (C, y, x), widened by a safety margin (in pixels of the overview).

    `brightest` is the largest possible grey value of a colour image; None means fluorescence.
    """
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(overview, (0, 1, 1))
    if brightest is None:
        # each channel against its own background; one without contrast may be full of cells
        mask = np.any([find_bright(one) for one in smooth], axis=0)
    else:
        mask = find_stained(smooth, brightest)
    if not mask.any() or mask.all():
        return mask
    return ndimage.distance_transform_edt(~mask) <= margin_px


def find_bright(plane: np.ndarray) -> np.ndarray:
    """What is brighter than the background; everything where no background stands out.

    Where most is bright, it may be a bright field with dark cells, so all is kept.
    """
    level = find_level(plane)
    if level is None:
        return np.ones(plane.shape, bool)
    mask = plane > level
    return mask if mask.mean() <= MOST else np.ones(plane.shape, bool)


def find_stained(overview: np.ndarray, brightest: float) -> np.ndarray:
    """Where any colour is absorbed, against the slide's own white."""
    white = np.maximum(np.percentile(overview, 99, axis=(1, 2)), WHITE * brightest)
    return (overview < (1 - ABSORBED) * white[:, None, None]).any(axis=0)
