"""Foreground: overview of an image (C, Y, X) -> mask (Y, X) of where patches are worth cutting.

It errs towards taking too much: a patch too many costs time, a patch too few costs cells.
"""

import numpy as np

OVERVIEW_PX = 1024
CLEAR = 0.75  # share of the variance between two classes; noise alone reaches 0.64
NOISE_WIDTHS = 5.0  # above the background's level; reached by chance once in three million pixels
FLAT = 1e-5  # differences below this share are those of rounding
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

    Otsu's method is repeated in the dark class while that has two clear classes itself (debris
    hides cells, bright cells hide dim ones); what the last dark class does not explain is kept too.
    Where most is bright, it may be a bright field with dark cells, so all is kept.
    """
    values = plane.ravel()
    threshold = split_clearly(values)
    if threshold is None:
        return np.ones(plane.shape, bool)
    while (lower := split_clearly(values[values <= threshold])) is not None:
        threshold = lower
    dark = values[values <= threshold]
    level = np.median(dark)
    noise = 1.4826 * np.median(np.abs(dark - level))
    mask = plane > min(threshold, level + NOISE_WIDTHS * noise)
    return mask if mask.mean() <= MOST else np.ones(plane.shape, bool)


def split_clearly(values: np.ndarray) -> float | None:
    """Otsu's threshold; None where the two classes do not separate clearly."""
    from skimage.filters import threshold_otsu

    values = values.astype(np.float64)
    if not values.size or np.ptp(values) <= FLAT * np.abs(values).max():
        return None
    threshold = float(threshold_otsu(values))
    dark, bright = values[values <= threshold], values[values > threshold]
    if not dark.size or not bright.size:
        return None
    within = dark.size * dark.var() + bright.size * bright.var()
    return threshold if within <= (1 - CLEAR) * values.size * values.var() else None


def find_stained(overview: np.ndarray, brightest: float) -> np.ndarray:
    """Where any colour is absorbed, against the slide's own white."""
    white = np.maximum(np.percentile(overview, 99, axis=(1, 2)), WHITE * brightest)
    return (overview < (1 - ABSORBED) * white[:, None, None]).any(axis=0)
