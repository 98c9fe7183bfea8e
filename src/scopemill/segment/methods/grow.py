"""Grow: nuclei (or other seeds) + a channel that fills the cell -> cells, by a seeded watershed.

A cell has the label of its seed, so that nucleus and cell join by number.
"""

import numpy as np

from ...frames import Frame
from ...settings import ChannelName, ConfigError, NonNegative, Positive, SegmentTask, settings
from ...thresholds import Threshold, find_threshold

KEEPS_IDS = True
TRUNCATE = 4  # widths after which scipy cuts a Gaussian off


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
    parts = [frame.cut(*window).channel(settings.channel) for window in frame.sample()]
    smooth = [smoothen(part, frame.spacing(part), settings).ravel() for part in parts]
    return find_threshold(np.concatenate(smooth), settings.threshold)


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
    image = frame.channel(settings.channel)
    if image.ndim != seeds.ndim:
        raise ConfigError(f"z of this task and of its seeds '{settings.seeds}' must be the same")
    smooth = smoothen(image, spacing, settings)
    threshold = find_threshold(smooth, settings.threshold) if frame.known is None else frame.known
    reach = ndimage.distance_transform_edt(seeds == 0, sampling=spacing)
    mask = (reach <= settings.max_distance_um) & ((smooth > threshold) | (seeds > 0))
    return segmentation.watershed(reach, seeds, mask=mask).astype(np.uint32)


def smoothen(image: np.ndarray, spacing: tuple[float, ...], settings: Settings) -> np.ndarray:
    """Noise removed."""
    from scipy import ndimage

    return ndimage.gaussian_filter(
        image.astype(np.float32), [settings.smooth_um / step for step in spacing]
    )
