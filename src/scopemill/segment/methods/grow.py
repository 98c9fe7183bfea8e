"""Grow: nuclei (or other seeds) + a channel that fills the cell -> cells, by a seeded watershed.

A cell has the label of its seed, so that nucleus and cell join by number.
"""

import numpy as np

from ...frames import Frame
from ...settings import ChannelName, ConfigError, NonNegative, Positive, SegmentTask, settings
from ...thresholds import TRUNCATE, Threshold, find_threshold, smoothen

KEEPS_IDS = True


@settings
class Settings:
    """Where cells may reach."""

    seeds: SegmentTask
    """The segment task whose objects are grown, such as nuclei."""
    channel: ChannelName | None = None
    """A channel that shows whole cells; without it cells reach `max_distance_um` around their seeds."""
    max_distance_um: Positive = 10.0
    """How far from its seed a cell may reach."""
    smooth_um: NonNegative = 0.5
    """Width (sigma) of the Gaussian that removes noise."""
    threshold: Threshold = "li"
    """How the border of cells against empty background is found."""


def survey(frame: Frame, settings: Settings) -> float | None:
    """The threshold of the whole image, by its sample."""
    if settings.channel is None:
        return None
    return find_threshold(frame.sampled(lambda part: look(part, settings)), settings.threshold)


def margin_px(frame: Frame, settings: Settings) -> tuple[int, int, int]:
    """A cell reaches no further than it may from its seed, and so does its neighbour."""
    reach_um = 2 * settings.max_distance_um + TRUNCATE * settings.smooth_um
    return 0, int(np.ceil(reach_um / frame.um_per_px)) + 1, 1


def segment(frame: Frame, settings: Settings) -> np.ndarray:
    """Seeds -> labels of the same shape and numbers."""
    from scipy import ndimage
    from skimage import segmentation

    seeds = frame.labels(settings.seeds)
    spacing = frame.spacing(seeds)
    if settings.channel is None:
        return segmentation.expand_labels(seeds, settings.max_distance_um, spacing=spacing)
    smooth = look(frame, settings)
    if smooth.ndim != seeds.ndim:
        raise ConfigError(f"z of this task and of its seeds '{settings.seeds}' must be the same")
    threshold = find_threshold(smooth, settings.threshold) if frame.known is None else frame.known
    reach = ndimage.distance_transform_edt(seeds == 0, sampling=spacing)
    mask = (reach <= settings.max_distance_um) & ((smooth > threshold) | (seeds > 0))
    return segmentation.watershed(reach, seeds, mask=mask).astype(np.uint32)


def look(frame: Frame, settings: Settings) -> np.ndarray:
    """The channel without noise."""
    image = frame.channel(settings.channel)
    return smoothen(image, settings.smooth_um, frame.spacing(image))
