"""Grow: nuclei (or other seeds) + a channel that fills the cell, or its membrane -> cells, by a seeded watershed.

A cell has the label of its seed, so that nucleus and cell join by number.
"""

from collections.abc import Iterable

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
    """A channel that shows whole cells, or their membranes; without it cells reach `max_distance_um` around their seeds."""
    membrane: bool = False
    """The channel shows membranes: cells meet, and end, where it is brightest, not where it is dark; no threshold is used."""
    max_distance_um: Positive = 10.0
    """How far from its seed a cell may reach."""
    smooth_um: NonNegative = 0.5
    """Width (sigma) of the Gaussian that removes noise."""
    threshold: Threshold = "li"
    """How the border of cells against empty background is found."""


def check(settings: Settings, channels: Iterable[str]) -> None:
    """Membranes need a channel that shows them."""
    if settings.membrane and settings.channel is None:
        raise ConfigError("membrane: say which channel shows membranes, with channel: <name>")


def survey(frame: Frame, settings: Settings) -> float | None:
    """The threshold of the whole image, by its sample."""
    if settings.channel is None or settings.membrane:
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
    reach = ndimage.distance_transform_edt(seeds == 0, sampling=spacing)
    if settings.membrane:
        return follow_membranes(smooth, seeds, reach <= settings.max_distance_um)
    threshold = find_threshold(smooth, settings.threshold) if frame.known is None else frame.known
    mask = (reach <= settings.max_distance_um) & ((smooth > threshold) | (seeds > 0))
    return segmentation.watershed(reach, seeds, mask=mask).astype(np.uint32)


def follow_membranes(smooth: np.ndarray, seeds: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """Seeds and, where no cell may reach, the background rise together; they meet on the ridges of the membranes."""
    from skimage import segmentation

    outside = int(seeds.max(initial=0)) + 1
    markers = np.where(reached, seeds, outside).astype(np.int64)
    found = segmentation.watershed(smooth, markers)
    return np.where(found == outside, 0, found).astype(np.uint32)


def look(frame: Frame, settings: Settings) -> np.ndarray:
    """The channel without noise."""
    image = frame.channel(settings.channel)
    return smoothen(image, settings.smooth_um, frame.spacing(image))
