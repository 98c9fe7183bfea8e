"""Foreground: one fluorescence plane -> what is brighter than its background, where a background stands out.

Shared by patches, which err towards too much, and by the finding of tissue, where an empty slide is a result.
"""

import numpy as np

from .thresholds import find_threshold

BINS = 256  # of histograms, as scikit-image's Otsu takes
CLEAR = 0.75  # share of the variance between two classes; noise alone reaches 0.64
NOISE_WIDTHS = 5.0  # above the background's level; reached by chance once in three million pixels
FLAT = 1e-5  # differences below this share are those of rounding
# of tissue
WIDTH_PX = 8.0  # wider differences are shading
LEFT = 0.28  # of white noise, behind a Gaussian of 1 px
HALF_WIDTHS = 2.0  # the same for half of the pixels, of which noise lets half reach 0.7
SPARSE = 0.001  # of the plane: less is not taken for tissue
FAINT = 0.02  # differences below this share of the grey values are no texture
FEW, MOST = (
    0.1,
    0.75,
)  # of the plane: where less is lit, and more is far from it, a second look is taken
DIM = 0.5  # of Otsu's threshold above the background
DARKEST = 2.0  # per cent of the plane: background, if there is any
STEP, STEP_PX = 0.1, 4  # of the contrast must lie so near the border of what is bright


def find_level(plane: np.ndarray) -> float | None:
    """The grey value above which a plane is brighter than its background; None where no background stands out.

    What the dark class of `split_dark` does not explain is kept too.
    """
    values = np.sort(plane, axis=None)
    threshold = split_dark(values)
    if threshold is None:
        return None
    dark = up_to(values, threshold)
    level = np.median(dark)
    noise = 1.4826 * np.median(np.abs(dark - level))
    return min(threshold, level + NOISE_WIDTHS * noise)


def split_dark(values: np.ndarray) -> float | None:
    """Otsu's threshold, repeated in the dark class while that has two clear classes itself; None where nothing is clear.

    Values in rising order. Debris hides cells, and bright cells hide dim ones.
    """
    threshold = split_clearly(values)
    if threshold is None:
        return None
    while (lower := split_clearly(up_to(values, threshold))) is not None:
        threshold = lower
    return threshold


def up_to(values: np.ndarray, highest: float) -> np.ndarray:
    """Of values in rising order, those that are not higher; compared as `<=` compares them."""
    highest = np.result_type(values, highest).type(highest)
    return values[: np.searchsorted(values, highest, side="right")]


def split_clearly(values: np.ndarray) -> float | None:
    """Otsu's threshold of values in rising order; None where the two classes do not separate clearly."""
    from skimage.filters import threshold_otsu

    values = values.astype(np.float64)
    if not values.size or values[-1] - values[0] <= FLAT * max(-values[0], values[-1]):
        return None
    edges = np.histogram_bin_edges(values, BINS)
    starts = np.searchsorted(values, edges[:-1])
    counts = np.diff(starts, append=len(values))
    threshold = float(threshold_otsu(hist=(counts, (edges[:-1] + edges[1:]) / 2)))
    dark = up_to(values, threshold)
    bright = values[len(dark) :]
    if not dark.size or not bright.size:
        return None
    within = dark.size * dark.var() + bright.size * bright.var()
    return threshold if within <= (1 - CLEAR) * values.size * values.var() else None


def find_lit(plane: np.ndarray) -> np.ndarray:
    """What of a fluorescence channel (Y, X) is brighter than the background; nothing of an empty one, all of a full one."""
    from scipy import ndimage

    plane = plane.astype(np.float32)
    lit = find_brightest(plane)
    if 0 < lit.mean() < FEW:
        # debris is so much brighter than tissue that it hides it
        beside = ndimage.distance_transform_edt(~lit) > 2 * WIDTH_PX
        if beside.mean() > MOST:
            lit |= find_brightest(np.where(beside, plane, np.median(plane[beside]))) & beside
    return lit


def find_brightest(plane: np.ndarray) -> np.ndarray:
    """What `find_lit` finds where all that is lit is about equally bright."""
    from scipy import ndimage

    smooth, coarse = ndimage.gaussian_filter(plane, 1), ndimage.gaussian_filter(plane, WIDTH_PX)
    threshold = split_dark(np.sort(smooth, axis=None))
    if threshold is None:
        texture = np.abs(smooth - coarse)
        if not is_textured(plane, texture, np.ones(plane.shape, bool), SPARSE, NOISE_WIDTHS):
            return np.zeros(plane.shape, bool)
        if is_textured(plane, texture, coarse <= np.percentile(coarse, DARKEST), 0.5, HALF_WIDTHS):
            return np.ones(plane.shape, bool)
        threshold = find_threshold(smooth, "li")
    else:  # Otsu's lies midway, but tissue varies more than the background
        level = np.median(smooth[smooth <= threshold])
        threshold = level + DIM * (threshold - level)
    lit = smooth > threshold
    clear = has_border(lit, smooth, NOISE_WIDTHS * LEFT * measure_noise(plane))
    return lit if clear else np.zeros(plane.shape, bool)


def is_textured(
    plane: np.ndarray, texture: np.ndarray, where: np.ndarray, share: float, widths: float
) -> bool:
    """Whether in a share of a part of a plane the texture exceeds so many widths of what noise leaves of itself.

    `texture` is the plane behind a Gaussian of 1 px, less its shading.
    """
    noise = measure_noise(plane, where)
    contrast = np.ptp(np.percentile(plane, [2, 98]))
    least = FAINT * max(float(np.median(plane[where])), contrast)
    return bool(np.quantile(texture[where], 1 - share) > max(widths * LEFT * noise, least))


def measure_noise(plane: np.ndarray, where: np.ndarray | None = None) -> float:
    """Standard deviation of white noise in a part of a plane, by differences that neither slopes nor edges add to."""
    if min(plane.shape) < 2:
        return 0.0
    crossed = plane[1:, 1:] - plane[:-1, 1:] - plane[1:, :-1] + plane[:-1, :-1]
    part = crossed if where is None else crossed[where[1:, 1:]]
    return 1.4826 * float(np.median(np.abs(part))) / 2 if part.size else 0.0


def has_border(lit: np.ndarray, smooth: np.ndarray, least: float) -> bool:
    """Whether grey values step down, by more than noise, where what is lit ends; shading has no steps."""
    from scipy import ndimage

    inside = lit & ~ndimage.binary_erosion(lit, iterations=STEP_PX, border_value=1)
    outside = ~lit & ndimage.binary_dilation(lit, iterations=STEP_PX)
    if not inside.any() or not outside.any():
        return False
    step = np.median(smooth[inside]) - np.median(smooth[outside])
    contrast = np.median(smooth[lit]) - np.median(smooth[~lit])
    return bool(contrast > least and step > STEP * contrast)
