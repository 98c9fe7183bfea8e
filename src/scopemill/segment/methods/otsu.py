"""Otsu: one channel -> labels, by smoothing, a global threshold, and a watershed on the distance map.

The baseline that needs no weights. Threshold after Otsu (1979), Li & Lee (1993) or Zack (1977).
"""

import numpy as np

from ...frames import Frame
from ...hills import fill_hills, find_depth, find_peaks
from ...settings import ChannelName, NonNegative, Positive, settings
from ...thresholds import TRUNCATE, Threshold, find_threshold, smoothen

LEAST_PX = 64  # what neighbouring blocks share where objects are not split


@settings
class Settings:
    """Smoothing, threshold and splitting."""

    channel: ChannelName
    """The channel that shows the objects."""
    smooth_um: NonNegative = 0.5
    """Width (sigma) of the Gaussian that removes noise."""
    background_um: NonNegative = 0.0
    """Width (sigma) of the background that is subtracted first; several object diameters, 0 for none."""
    threshold: Threshold = "otsu"
    """How the threshold is found: triangle and li take dimmer objects than otsu."""
    threshold_factor: Positive = 1.0
    """Multiplies the threshold (above the image's darkest level): below 1 takes more."""
    split_um: NonNegative = 5.0
    """Two objects that touch are split when their centres are at least this far apart; 0 never splits."""
    dark_objects: bool = False
    """Objects are darker than their surroundings (stained sections)."""


def survey(frame: Frame, settings: Settings) -> float:
    """The threshold of the whole image, by its sample; above all where it has one value only."""
    return choose_level(frame.sampled(lambda part: look(part, settings)), settings)


def margin_px(frame: Frame, settings: Settings) -> tuple[int, int, int]:
    """Neighbours share twice the distance of two objects; what is smoothed reaches further."""
    reach_um = TRUNCATE * (settings.smooth_um + settings.background_um)
    overlap = max(LEAST_PX, 2 * settings.split_um / frame.um_per_px)
    return int(np.ceil(overlap)), int(np.ceil(reach_um / frame.um_per_px)) + 1, 1


def segment(frame: Frame, settings: Settings) -> np.ndarray:
    """(Y, X) or (Z, Y, X) of the frame -> labels of the same shape."""
    from scipy import ndimage

    smooth = look(frame, settings)
    threshold = choose_level(smooth, settings) if frame.known is None else frame.known
    mask = ndimage.binary_fill_holes(smooth > threshold)
    return split_objects(mask, frame.spacing(mask), settings.split_um)


def look(frame: Frame, settings: Settings) -> np.ndarray:
    """The channel without noise and background; objects are bright."""
    image = frame.channel(settings.channel).astype(np.float32)
    spacing = frame.spacing(image)
    smooth = smoothen(-image if settings.dark_objects else image, settings.smooth_um, spacing)
    if settings.background_um:
        smooth -= smoothen(smooth, settings.background_um, spacing)
    return smooth


def choose_level(smooth: np.ndarray, settings: Settings) -> float:
    """The grey value above which pixels belong to objects; above all where there is one value only."""
    lowest = float(smooth.min())
    level = find_threshold(smooth, settings.threshold)
    return lowest + settings.threshold_factor * (level - lowest)


def split_objects(mask: np.ndarray, spacing: tuple[float, ...], split_um: float) -> np.ndarray:
    """Label a mask; split what touches at the necks of its distance map."""
    from scipy import ndimage

    parts, n_parts = ndimage.label(mask)
    if not split_um or not n_parts:
        return parts.astype(np.uint32)
    distance = find_depth(mask, spacing)
    # a ragged outline has many maxima of the distance; a little smoothing leaves one a body
    distance = ndimage.gaussian_filter(distance, [split_um / 8 / step for step in spacing])
    seeds = find_peaks(distance, parts, [split_um / 2 / step for step in spacing])
    return fill_hills(distance, seeds, mask)
