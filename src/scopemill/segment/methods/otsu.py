"""Otsu: one channel -> labels, by smoothing, a global threshold, and a watershed on the distance map.

The baseline that needs no weights. Threshold after Otsu (1979), Li & Lee (1993) or Zack (1977).
"""

from typing import Literal

import numpy as np

from ...frames import Frame
from ...settings import ChannelName, NonNegative, Positive, settings


@settings
class Settings:
    """Smoothing, threshold and splitting."""

    channel: ChannelName
    """The channel that shows the objects."""
    smooth_um: NonNegative = 0.5
    """Width (sigma) of the Gaussian that removes noise."""
    background_um: NonNegative = 0.0
    """Width (sigma) of the background that is subtracted first; several object diameters, 0 for none."""
    threshold: Literal["otsu", "li", "triangle"] = "otsu"
    """How the threshold is found: triangle and li take dimmer objects than otsu."""
    threshold_factor: Positive = 1.0
    """Multiplies the threshold (above the image's darkest level): below 1 takes more."""
    split_um: NonNegative = 5.0
    """Two objects that touch are split when their centres are at least this far apart; 0 never splits."""
    dark_objects: bool = False
    """Objects are darker than their surroundings (stained sections)."""


def segment(frame: Frame, settings: Settings) -> np.ndarray:
    """(Y, X) or (Z, Y, X) of the frame -> labels of the same shape."""
    image = frame.channel(settings.channel).astype(np.float32)
    spacing = frame.spacing(image)
    mask = find_foreground(-image if settings.dark_objects else image, spacing, settings)
    return split_objects(mask, spacing, settings.split_um)


def find_foreground(
    image: np.ndarray, spacing: tuple[float, ...], settings: Settings
) -> np.ndarray:
    """Pixels above the threshold, holes filled."""
    from scipy import ndimage
    from skimage import filters

    smooth = ndimage.gaussian_filter(image, [settings.smooth_um / step for step in spacing])
    if settings.background_um:
        smooth -= ndimage.gaussian_filter(
            smooth, [settings.background_um / step for step in spacing]
        )
    lowest = float(smooth.min())
    if lowest == float(smooth.max()):
        return np.zeros(image.shape, bool)
    find = {
        "otsu": filters.threshold_otsu,
        "li": filters.threshold_li,
        "triangle": filters.threshold_triangle,
    }
    threshold = lowest + settings.threshold_factor * (
        float(find[settings.threshold](smooth)) - lowest
    )
    return ndimage.binary_fill_holes(smooth > threshold)


def split_objects(mask: np.ndarray, spacing: tuple[float, ...], split_um: float) -> np.ndarray:
    """Label a mask; split what touches at the necks of its distance map."""
    from scipy import ndimage
    from skimage import feature, segmentation

    parts, _ = ndimage.label(mask)
    if not split_um:
        return parts.astype(np.uint32)
    distance = ndimage.distance_transform_edt(mask, sampling=spacing)
    # a ragged outline has many maxima of the distance; a little smoothing leaves one a body
    distance = ndimage.gaussian_filter(distance, [split_um / 8 / step for step in spacing])
    peaks = feature.peak_local_max(
        distance,
        min_distance=max(1, round(split_um / 2 / min(spacing))),
        labels=parts,
        exclude_border=False,
    )
    seeds = np.zeros(mask.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return segmentation.watershed(-distance, seeds, mask=mask).astype(np.uint32)
