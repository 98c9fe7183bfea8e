"""Thresholds: grey values -> the one that parts dark from bright, after Otsu (1979), Li & Lee (1993) or Zack (1977)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

Threshold = Literal["otsu", "li", "triangle"]
TRUNCATE = 4  # widths after which a Gaussian is cut off
STEPS = 2**15  # of the range of values: Li's steps may circle below that (scikit-image issue 7790)


def find_threshold(values: np.ndarray, how: Threshold) -> float:
    """The threshold of values of any shape; infinity where all are one value, so that nothing is above it."""
    from skimage import filters

    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    if low >= high:
        return float("inf")
    if how == "li":
        found = filters.threshold_li(values.astype(np.float64), tolerance=(high - low) / STEPS)
    elif how == "otsu":
        found = filters.threshold_otsu(values)
    else:
        found = filters.threshold_triangle(values)
    return float(found)


def smoothen(image: np.ndarray, sigma_um: float, spacing: Sequence[float]) -> np.ndarray:
    """Noise removed by a Gaussian of this width (sigma); float32."""
    from scipy import ndimage

    widths = [sigma_um / step for step in spacing]
    image = image.astype(np.float32, copy=False)
    return ndimage.gaussian_filter(image, widths, truncate=TRUNCATE)
